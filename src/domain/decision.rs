//! A decision as it is recorded: what was known, what was asked of it, what followed. Complete enough to be judged
//! again by somebody else, years later.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cost::QueryCost;
use super::facts::Facts;
use super::ids::{BuildNumber, DecisionId, VersionName};
use super::judge::{Judgement, judge};
use super::keys;
use super::policy::Policy;
use super::release::ReleaseId;

/// The shape of [`Record`]; raised when a field changes its meaning.
pub const RECORD_VERSION: u32 = 1;

/// One decision with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`] at the time of writing.
    pub record_version: u32,
    /// Derived from everything below.
    pub id: DecisionId,
    /// Which release.
    pub release: ReleaseId,
    /// Its version.
    pub version: VersionName,
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// How often a person had resumed it.
    pub generation: u32,
    /// When it was judged.
    pub decided_at: Timestamp,
    /// What was known.
    pub facts: Facts,
    /// What was asked.
    pub policy: Policy,
    /// What followed.
    pub judgement: Judgement,
    /// The queries of this reading and what each cost.
    pub queries: Vec<QueryCost>,
    /// The program that judged.
    pub tidegate_version: String,
    /// The fingerprint of the app's configuration; none in records that are older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
}

/// What was judged, before it has an id.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which release.
    pub release: ReleaseId,
    /// Its version.
    pub version: VersionName,
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// How often a person had resumed it.
    pub generation: u32,
    /// When it was judged.
    pub now: Timestamp,
    /// What was known.
    pub facts: Facts,
    /// What was asked.
    pub policy: Policy,
    /// The queries of this reading and what each cost.
    pub queries: Vec<QueryCost>,
    /// The fingerprint of the app's configuration.
    pub configuration: Option<String>,
}

impl Record {
    /// Puts decisions in the order in which they were made; those of one instant in the order of their ids.
    pub fn in_order(records: &mut [Self]) {
        records.sort_by(|one, other| (one.decided_at, &one.id).cmp(&(other.decided_at, &other.id)));
    }

    /// Judges and records in one step, so that no record can disagree with its own evidence.
    #[must_use]
    pub fn judge(judged: Judged) -> Self {
        let judgement = judge(&judged.facts, &judged.policy, judged.now);
        Self {
            record_version: RECORD_VERSION,
            id: id(&judged, &judgement),
            release: judged.release,
            version: judged.version,
            builds: judged.builds,
            generation: judged.generation,
            decided_at: judged.now,
            facts: judged.facts,
            policy: judged.policy,
            judgement,
            queries: judged.queries,
            tidegate_version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: judged.configuration,
        }
    }

    /// The record that this program makes of the stored evidence: where nothing was changed, the same to the byte.
    #[must_use]
    pub fn judged_again(&self) -> Self {
        let again = Self::judge(Judged {
            release: self.release.clone(),
            version: self.version.clone(),
            builds: self.builds.clone(),
            generation: self.generation,
            now: self.decided_at,
            facts: self.facts.clone(),
            policy: self.policy.clone(),
            queries: self.queries.clone(),
            configuration: self.configuration.clone(),
        });
        Self { record_version: self.record_version, tidegate_version: self.tidegate_version.clone(), ..again }
    }
}

fn id(judged: &Judged, judgement: &Judgement) -> DecisionId {
    let evidence = serde_json::json!([
        judged.release,
        judged.generation,
        judged.now,
        judged.facts,
        judged.policy,
        judgement
    ]);
    let digits = keys::key("d", &[&evidence.to_string()]);
    DecisionId::new(digits).expect("a key of kind d is a decision id")
}
