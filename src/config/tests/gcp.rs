//! Who the program is at Google.

use super::*;

const PROVIDER: &str =
    "projects/123456789012/locations/global/workloadIdentityPools/github/providers/tidegate";

#[test]
fn a_provider_by_the_id_of_its_project() {
    insta::assert_snapshot!(
        above("[gcp]\nworkload_identity_provider = \"projects/my-project/locations/global\""),
        @r#"
    tidegate.toml:2:30: `workload_identity_provider` in [gcp] is "projects/my-project/locations/global", which is no name of a workload identity provider
      | workload_identity_provider = "projects/my-project/locations/global"
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: write projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the number of the project; `gcloud iam workload-identity-pools providers describe` prints it as `name`
    "#
    );
}

#[test]
fn an_account_that_is_none() {
    insta::assert_snapshot!(
        above(&format!(
            "[gcp]\nworkload_identity_provider = \"{PROVIDER}\"\nservice_account = \"me@example.com\""
        )),
        @r#"
    tidegate.toml:3:19: `service_account` in [gcp] is "me@example.com", which is no e-mail address of a service account
      | service_account = "me@example.com"
      |                   ^^^^^^^^^^^^^^^^
      fix: write it as the Google Cloud console shows it, such as tidegate@my-project.iam.gserviceaccount.com
    "#
    );
}

#[test]
fn an_account_without_a_provider() {
    insta::assert_snapshot!(above("[gcp]\nservice_account = \"a@my-project.iam.gserviceaccount.com\""), @r#"
    tidegate.toml:2:19: `service_account` in [gcp] is impersonated through a provider, and there is none
      | service_account = "a@my-project.iam.gserviceaccount.com"
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: add `workload_identity_provider`, or leave `service_account` out to use the application default credentials
    "#);
}

#[test]
fn play_through_a_provider_without_an_account() {
    insta::assert_snapshot!(above(&format!("[gcp]\nworkload_identity_provider = \"{PROVIDER}\"")), @r#"
    tidegate.toml:2:30: app `android` needs `service_account` in [gcp]: Google Play lets only e-mail addresses in, and a federated identity has none
      | workload_identity_provider = "projects/123456789012/locations/global/workloadIdentityPools/github/providers/tidegate"
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: add `service_account = "tidegate@my-project.iam.gserviceaccount.com"`, invited in the Play Console, next to it
    "#);
}

#[test]
fn a_project_by_its_name() {
    insta::assert_snapshot!(above("[gcp]\nproject = \"My project\""), @r#"
    tidegate.toml:2:11: `project` in [gcp] is "My project", which is no id of a Google Cloud project
      | project = "My project"
      |           ^^^^^^^^^^^^
      fix: write the id as `gcloud projects list` shows it: 6 to 30 of a-z, 0-9 and '-'; not the name, not the number
    "#);
}

#[test]
fn in_an_app() {
    insta::assert_snapshot!(inside("gcp = { project = \"my-project\" }"), @r#"
    tidegate.toml:5:1: unknown key `gcp` in app `android`
      | gcp = { project = "my-project" }
      | ^^^
      fix: [gcp] holds for the whole program: move it to the top level, above the first [[app]]
    "#);
}

#[test]
fn a_key_or_an_account_or_no_android_app_is_enough_for_a_provider() {
    let provider = format!("[gcp]\nworkload_identity_provider = \"{PROVIDER}\"\nproject = \"my-project\"\n");
    let account = "service_account = \"tidegate@my-project.iam.gserviceaccount.com\"\n";
    let key = "[google_play]\ncredentials = \"file:play.json\"\n";
    for text in [
        format!("{provider}{account}{ANDROID}"),
        format!("{provider}{key}{ANDROID}"),
        format!("{provider}{IOS}"),
    ] {
        let gcp = good(&text).gcp;
        assert_eq!(gcp.workload_identity_provider.as_deref(), Some(PROVIDER));
        assert_eq!(gcp.project.as_deref(), Some("my-project"));
    }
}
