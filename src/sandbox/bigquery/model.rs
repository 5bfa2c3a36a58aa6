//! The state of BigQuery: projects with their datasets, jobs, and the answers that a cache may give again. Pure but for
//! the warehouse files that the datasets read; the instant comes as a parameter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::control::ControlError;
use super::answer::Answers;
use super::dataset::{Dataset, Found};
use super::error::Refusal;
use super::jobs::Jobs;
use super::seed::{Access, DatasetChange, DatasetSeed, JobConditions, TableConditions};

/// The projects and their jobs.
#[derive(Default)]
pub(crate) struct BigQueryModel {
    projects: BTreeMap<String, Project>,
    pub(super) jobs: Jobs,
    pub(super) answers: Answers,
}

#[derive(Default)]
struct Project {
    jobs: Access,
    datasets: BTreeMap<String, Dataset>,
}

impl BigQueryModel {
    /// Adds a dataset, and its project if it is new.
    pub(crate) fn add_dataset(&mut self, seed: DatasetSeed, now: Timestamp) -> Result<(), ControlError> {
        let (project, id) = (seed.project.clone(), seed.dataset.clone());
        let datasets = &mut self.projects.entry(project.clone()).or_default().datasets;
        if datasets.contains_key(&id) {
            return Err(ControlError::exists("dataset", &format!("{project}.{id}")));
        }
        datasets.insert(id, Dataset::new(seed, now).map_err(|error| ControlError::refused(400, error))?);
        Ok(())
    }

    /// Sets whether the caller may start jobs in a project, which comes into being by it.
    pub(crate) fn set_job_access(&mut self, project: &str, access: Access) {
        self.projects.entry(project.to_owned()).or_default().jobs = access;
    }

    /// Changes a dataset.
    pub(crate) fn change_dataset(
        &mut self,
        project: &str,
        dataset: &str,
        change: DatasetChange,
    ) -> Result<(), ControlError> {
        self.known(project, dataset)?.change(change).map_err(|error| ControlError::refused(400, error))
    }

    /// Sets what a table looks like.
    pub(crate) fn set_table(
        &mut self,
        project: &str,
        dataset: &str,
        table: &str,
        conditions: TableConditions,
    ) -> Result<(), ControlError> {
        let dataset = self.known(project, dataset)?;
        dataset.set_conditions(table, conditions).map_err(|error| ControlError::refused(400, error))
    }

    /// Sets how jobs go.
    pub(crate) fn set_job_conditions(&mut self, conditions: JobConditions) {
        self.jobs.conditions = conditions;
    }

    fn known(&mut self, project: &str, dataset: &str) -> Result<&mut Dataset, ControlError> {
        let names = |(project, entry): (&String, &Project)| {
            entry.datasets.keys().map(|dataset| format!("{project}.{dataset}")).collect::<Vec<_>>()
        };
        let known: Vec<String> = self.projects.iter().flat_map(names).collect();
        let found = self.projects.get_mut(project).and_then(|entry| entry.datasets.get_mut(dataset));
        found.ok_or_else(|| ControlError::unknown("dataset", &format!("{project}.{dataset}"), &known))
    }

    /// Refuses a caller who may not start jobs in a project.
    pub(crate) fn check_jobs(&self, project: &str) -> Result<(), Refusal> {
        match self.projects.get(project).map(|project| project.jobs) {
            Some(Access::Allowed) => Ok(()),
            Some(Access::Denied | Access::Missing) | None => Err(Refusal::no_jobs(project)),
        }
    }

    /// The datasets of a project that the caller may see.
    pub(crate) fn datasets(&self, project: &str) -> Result<Vec<&Dataset>, Refusal> {
        let found = self.projects.get(project).ok_or_else(|| Refusal::not_found("Project", project))?;
        Ok(found.datasets.values().filter(|dataset| dataset.access == Access::Allowed).collect())
    }

    /// A dataset that is there, whether the caller may read it or not.
    pub(super) fn find_dataset(&mut self, project: &str, dataset: &str) -> Option<&mut Dataset> {
        let found = self.projects.get_mut(project)?.datasets.get_mut(dataset)?;
        (found.access != Access::Missing).then_some(found)
    }

    /// A dataset that the caller may read.
    pub(crate) fn dataset(
        &mut self,
        project: &str,
        dataset: &str,
        permission: &str,
    ) -> Result<&mut Dataset, Refusal> {
        let name = format!("{project}:{dataset}");
        if !self.projects.contains_key(project) {
            return Err(Refusal::no_permission("Dataset", permission, &name));
        }
        match self.find_dataset(project, dataset) {
            None => Err(Refusal::not_found("Dataset", &name)),
            Some(found) if found.access == Access::Denied => {
                Err(Refusal::no_permission("Dataset", permission, &name))
            }
            Some(found) => Ok(found),
        }
    }

    /// A table that the caller may read, and its dataset.
    pub(crate) fn table(
        &mut self,
        project: &str,
        dataset: &str,
        table: &str,
    ) -> Result<(&mut Dataset, Found), Refusal> {
        let name = format!("{project}:{dataset}.{table}");
        let denied = || Refusal::no_permission("Table", "bigquery.tables.get", &name);
        let is_known = self.projects.contains_key(project);
        match self.find_dataset(project, dataset) {
            None if is_known => Err(Refusal::not_found("Dataset", &format!("{project}:{dataset}"))),
            None => Err(denied()),
            Some(found) if found.access == Access::Denied => Err(denied()),
            Some(found) => match found.find(table)? {
                Some(table) => Ok((found, table)),
                None => Err(Refusal::not_found("Table", &name)),
            },
        }
    }

    /// Everything that is set up and every job, for the control surface.
    pub(crate) fn state(&self) -> Value {
        let project = |project: &Project| {
            let datasets: Map<String, Value> =
                project.datasets.iter().map(|(id, dataset)| (id.clone(), dataset.state())).collect();
            json!({"jobs": project.jobs, "datasets": datasets})
        };
        let projects: Map<String, Value> =
            self.projects.iter().map(|(id, entry)| (id.clone(), project(entry))).collect();
        json!({"projects": projects, "jobs": self.jobs.state(), "job_conditions": self.jobs.conditions})
    }
}
