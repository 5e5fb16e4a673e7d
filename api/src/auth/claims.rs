//! What an issuer says of somebody: the claims of a verified token become an actor.

use super::{Refusal, invalid};
use domain::actor::{Actor, Role};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The claims of a token, by name.
pub type Claims = Map<String, Value>;

/// Which claims say who somebody is. A name with dots, such as `realm_access.roles`, is a claim of
/// that name or else a path through objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Who the bearer is: a text. It is stored with every event that he causes.
    pub subject: String,
    /// His roles: a list of texts, or one. Roles of other systems are ignored.
    pub roles: String,
    /// Partners that he belongs to beside those that the log knows: a list of texts, or one.
    pub partners: String,
}

/// As Keycloak names them; `partners` needs a mapper there.
impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "preferred_username".to_owned(),
            roles: "realm_access.roles".to_owned(),
            partners: "partners".to_owned(),
        }
    }
}

impl ClaimNames {
    /// What the issuer calls the bearer.
    pub fn name<'a>(&self, claims: &'a Claims) -> Option<&'a str> {
        at(claims, &self.subject)?.as_str()
    }
}

/// The bearer as an actor under a name. A subject is one line of at most 256 characters, and nobody
/// is the system itself.
pub fn actor(subject: String, names: &ClaimNames, claims: &Claims) -> Result<Actor, Refusal> {
    let storable = (1..=256).contains(&subject.chars().count())
        && !subject.chars().any(char::is_control)
        && subject == subject.trim();
    if !storable || subject == Actor::system().subject {
        return Err(invalid("nobody can have that name"));
    }
    let roles = texts(at(claims, &names.roles)).filter_map(|role| role.parse().ok());
    Ok(Actor {
        subject,
        roles: roles.collect::<BTreeSet<Role>>(),
        claimed_partners: texts(at(claims, &names.partners)).map(str::to_owned).collect(),
    })
}

fn at<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        at(claims.get(first)?.as_object()?, rest)
    })
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let texts = match value {
        Some(Value::Array(texts)) => texts.as_slice(),
        Some(text) => std::slice::from_ref(text),
        None => &[],
    };
    texts.iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(claims: Value, names: &ClaimNames) -> Option<Actor> {
        let claims = claims.as_object().unwrap();
        actor(names.name(claims)?.to_owned(), names, claims).ok()
    }

    #[test]
    fn keycloaks_claims_are_understood_without_settings() {
        let claims = json!({
            "preferred_username": "alice",
            "realm_access": {"roles": ["offline_access", "AUTH_PARTNER", "POLICYMANAGER"]},
        });
        let alice = told(claims, &ClaimNames::default()).unwrap();
        assert_eq!(alice.subject, "alice");
        assert_eq!(alice.roles, BTreeSet::from([Role::AuthPartner, Role::PolicyManager]));
        assert!(alice.claimed_partners.is_empty());
    }

    #[test]
    fn roles_are_found_under_a_path_and_under_a_name_with_dots() {
        let path = "resource_access.pms.roles";
        let names = ClaimNames { roles: path.to_owned(), ..ClaimNames::default() };
        let nested = json!({"resource_access": {"pms": {"roles": "AUDITOR"}}});
        let flat = json!({path: ["AUDITOR"]});
        for mut claims in [nested, flat] {
            claims["preferred_username"] = json!("alice");
            assert_eq!(told(claims, &names).unwrap().roles, BTreeSet::from([Role::Auditor]));
        }
    }

    #[test]
    fn claims_of_another_form_give_no_role_and_no_partner() {
        for odd in [json!(7), json!({"AUDITOR": true}), json!([["AUDITOR"], 1, null]), json!(null)]
        {
            let claims = json!({"preferred_username": "alice", "partners": odd.clone(),
                                "realm_access": {"roles": odd}});
            let alice = told(claims, &ClaimNames::default()).unwrap();
            assert!(alice.roles.is_empty() && alice.claimed_partners.is_empty());
        }
    }

    #[test]
    fn a_name_that_cannot_be_stored_names_nobody() {
        let long = "x".repeat(257);
        for name in ["", " alice", "a\nb", "system", &long] {
            assert!(told(json!({"preferred_username": name}), &ClaimNames::default()).is_none());
        }
        assert!(told(json!({"sub": "alice"}), &ClaimNames::default()).is_none());
    }
}
