//! Apps that lack something, or have what belongs to another.

use super::*;

#[test]
fn none() {
    insta::assert_snapshot!(refusal("[slo]\nconfidence = 0.99\n"), @r"
    tidegate.toml:1:1: no app is configured
      fix: add an [[app]] with its `id`, its `platform`, and its `package` or `bundle_id`
    ");
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(refusal(""), @r"
    tidegate.toml:1:1: no app is configured
      fix: add an [[app]] with its `id`, its `platform`, and its `package` or `bundle_id`
    ");
}

#[test]
fn f71_one_id_twice() {
    insta::assert_snapshot!(refusal(&format!("{ANDROID}\n{ANDROID}")), @r#"
    tidegate.toml:7:6: the app id `android` is used twice
      | id = "android"
      |      ^^^^^^^^^
      fix: give each [[app]] an id of its own: its state is kept under it
    "#);
}

#[test]
fn no_id() {
    insta::assert_snapshot!(refusal("[[app]]\nplatform = \"android\"\n"), @r#"
    tidegate.toml:1:1: no `id` in app number 1
      | [[app]]
      | ^^^^^^^
      fix: add `id = "android"`
    "#);
}

#[test]
fn no_platform() {
    insta::assert_snapshot!(refusal(&format!("{IOS}\n[[app]]\nid = \"android\"\n")), @r#"
    tidegate.toml:7:1: no `platform` in app `android`
      | [[app]]
      | ^^^^^^^
      fix: add `platform = "android"`
    "#);
}

#[test]
fn no_package() {
    insta::assert_snapshot!(refusal("[[app]]\nid = \"android\"\nplatform = \"android\"\n"), @r#"
    tidegate.toml:1:1: app `android` has platform = "android" and no `package`
      | [[app]]
      | ^^^^^^^
      fix: add `package = "com.example.app"`, as the store names the app
    "#);
}

#[test]
fn no_bundle_id() {
    insta::assert_snapshot!(refusal("[[app]]\nid = \"ios\"\nplatform = \"ios\"\n"), @r#"
    tidegate.toml:1:1: app `ios` has platform = "ios" and no `bundle_id`
      | [[app]]
      | ^^^^^^^
      fix: add `bundle_id = "com.example.app"`, as the store names the app
    "#);
}

#[test]
fn no_key_id() {
    insta::assert_snapshot!(
        refusal("[[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n"),
        @r#"
    tidegate.toml:1:1: app `ios` needs `key_id` in [app_store_connect]
      | [[app]]
      | ^^^^^^^
      fix: add `key_id = "ABC1234567"` to [app_store_connect], or to the same section of the app
    "#
    );
}

#[test]
fn no_private_key() {
    insta::assert_snapshot!(
        refusal(
            "[app_store_connect]\nkey_id = \"ABC1234567\"\n\
             [[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n"
        ),
        @r#"
    tidegate.toml:3:1: app `ios` needs `private_key` in [app_store_connect]
      | [[app]]
      | ^^^^^^^
      fix: add `private_key = "env:ASC_PRIVATE_KEY"` to [app_store_connect], or to the same section of the app
    "#
    );
}

#[test]
fn a_package_on_ios() {
    insta::assert_snapshot!(refusal(&format!("{IOS}package = \"com.example.app\"\n")), @r#"
    tidegate.toml:6:11: `package` is for Android apps, and app `ios` has platform = "ios"
      | package = "com.example.app"
      |           ^^^^^^^^^^^^^^^^^
      fix: an iOS app has a `bundle_id`, or change the platform
    "#);
}

#[test]
fn a_bundle_id_on_android() {
    insta::assert_snapshot!(inside("bundle_id = \"com.example.app\""), @r#"
    tidegate.toml:5:13: `bundle_id` is for iOS apps, and app `android` has platform = "android"
      | bundle_id = "com.example.app"
      |             ^^^^^^^^^^^^^^^^^
      fix: an Android app has a `package`, or change the platform
    "#);
}

#[test]
fn a_rollout_on_ios() {
    insta::assert_snapshot!(refusal(&format!("{IOS}rollout.steps = [1.0]\n")), @r#"
    tidegate.toml:6:1: `rollout` is for Android apps, and app `ios` has platform = "ios"
      | rollout.steps = [1.0]
      | ^^^^^^^
      fix: leave it out, the steps of a phased release are Apple's own, or change the platform
    "#);
}

#[test]
fn a_section_of_the_other_store() {
    insta::assert_snapshot!(inside("app_store_connect = { key_id = \"ABC1234567\" }"), @r#"
    tidegate.toml:5:21: `app_store_connect` is for iOS apps, and app `android` has platform = "android"
      | app_store_connect = { key_id = "ABC1234567" }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: leave it out, or change the platform
    "#);
}

#[test]
fn an_id_with_capitals() {
    insta::assert_snapshot!(refusal(&ANDROID.replace("\"android\"\npl", "\"My App\"\npl")), @r#"
    tidegate.toml:2:6: app id "My App" must start with a lowercase letter and hold only a-z, 0-9 and '-', at most 63 of them
      | id = "My App"
      |      ^^^^^^^^
      fix: choose another id, such as "android" or "ios-beta"
    "#);
}

#[test]
fn a_package_that_is_none() {
    insta::assert_snapshot!(refusal(&ANDROID.replace("com.example.app", "app`; DROP")), @r#"
    tidegate.toml:4:11: package or bundle id "app`; DROP" must look like com.example.app: letters, digits, '.', '-' and '_', with at least one dot
      | package = "app`; DROP"
      |           ^^^^^^^^^^^^
      fix: write `package = "com.example.app"`, as the store names the app
    "#);
}

#[test]
fn two_apps_in_one_place() {
    let error =
        refusal(&format!("{ANDROID}{}", ANDROID.replace("\"android\"\nplatform", "\"again\"\nplatform")));
    assert!(
        error.contains("watch the same place: track production of com.example.app on Google Play"),
        "{error}"
    );
    assert!(error.starts_with("tidegate.toml:6:6:"), "{error}");
    let beta =
        format!("{}track = \"beta\"\n", ANDROID.replace("\"android\"\nplatform", "\"beta\"\nplatform"));
    assert_eq!(good(&format!("{ANDROID}{beta}")).apps.len(), 2);
}
