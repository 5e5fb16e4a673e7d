//! What a portal asks before it shows a form.

use crate::support::commands::Installation;
use crate::support::http::App;
use serde_json::json;

#[tokio::test]
async fn a_portal_learns_the_settings_and_limits_that_its_forms_depend_on() {
    let installation = Installation::new().await;
    let node = installation.node().with_four_eyes(true);
    let app = App::over(installation, node).await;
    let query = "{ config { fourEyes proofOfPossession pageSize maxPageSize maxRows maxDevices
        expiringDays { default max } keyLifeDays { default max } keyOverlapDays { default max }
        clientKeyOverlapDays { default max } maxCertificateOverlapDays grantTypes
        clientAuthMethods maxRedirectUris modalities }
        languages { code name mandatory } credentialTypes deviceTypes { code subTypes { code } } }";
    let told = app.partner("alice").asks(query, json!({})).await;
    let expected = json!({
        "fourEyes": true, "proofOfPossession": false, "pageSize": 20, "maxPageSize": 200,
        "maxRows": 100, "maxDevices": 25, "expiringDays": {"default": 30, "max": 365},
        "keyLifeDays": {"default": 180, "max": 365}, "keyOverlapDays": {"default": 7, "max": 30},
        "clientKeyOverlapDays": {"default": 7, "max": 30}, "maxCertificateOverlapDays": 90,
        "grantTypes": ["AUTHORIZATION_CODE"], "clientAuthMethods": ["PRIVATE_KEY_JWT"],
        "maxRedirectUris": 5, "modalities": ["FACE", "IRIS", "FINGER"],
    });
    assert_eq!(told.data()["config"], expected);
    let english = json!({"code": "eng", "name": "English", "mandatory": true});
    assert_eq!(told.data()["languages"][0], english);
}

#[tokio::test]
async fn a_text_may_be_as_long_as_its_limit_says_and_no_longer() {
    let app = App::start().await;
    let query = "{ config { textLimits { noun field max } } }";
    let told = app.policy_manager().asks(query, json!({})).await;
    let limits = told.data()["config"]["textLimits"].as_array().unwrap().clone();
    let max = |field: &str| {
        let limit = limits.iter().find(|it| it["noun"] == "policy_group" && it["field"] == field);
        usize::try_from(limit.unwrap()["max"].as_u64().unwrap()).unwrap()
    };
    for (more, expected) in [(0, vec![]), (1, vec!["description: TOO_LONG", "name: TOO_LONG"])] {
        let text = |field| "x".repeat(max(field) + more);
        let group = json!({"name": text("name"), "description": text("description")});
        let created = app.policy_manager().does("createPolicyGroup", group, "position").await;
        assert_eq!(created.findings(), expected);
    }
}
