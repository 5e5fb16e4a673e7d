//! Documents that are made from the code: every state machine, and the permission table. A test
//! refuses those that are not current; `BLESS=1 cargo test -p domain docs` writes them anew.

use crate::Decide;
use crate::actor::{MemberRole, On, Operation, Role, grant, member_may};
use crate::api_key::ApiKeyKind;
use crate::issued;
use crate::misp_license::MispLicenseKind;
use cqrs_es::DomainEvent;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use strum::{IntoEnumIterator as _, VariantNames};

#[test]
fn the_docs_tell_every_state_machine() {
    let head = "# State machines\n\nWhat comes of every command in every state, walked by a test and \
        written from the code (`domain/src/generated_docs.rs`). `→` an event; *nothing*: a repeated \
        wish, which is no error; else the code of the refusal. A command is what the noun is asked; \
        which mutation asks it, and what is read before, stands in `commands/src/<noun>.rs`.\n";
    let machines = [
        crate::installation::tests::machine().table(),
        crate::audit_log::tests::machine().table(),
        crate::trust_certificate::tests::machine().table(),
        crate::partner::tests::machine().table(),
        crate::person::tests::machine().table(),
        crate::consent::tests::machine().table(),
        crate::policy_group::tests::machine().table(),
        crate::policy::tests::machine().table(),
        crate::extractor::tests::machine().table(),
        crate::policy_request::tests::machine().table(),
        issued::tests::machine::<ApiKeyKind>(&"kyc".into()).table(),
        issued::tests::machine::<MispLicenseKind>(&None).table(),
        crate::oidc_client::tests::machine().table(),
        crate::sbi::tests::machine().table(),
        crate::device::tests::machine().table(),
        crate::ftm_chip::tests::machine().table(),
        crate::proposal::tests::machine().table(),
    ];
    is_current("state-machines.md", &format!("{head}{}", machines.concat()));
}

#[test]
fn the_docs_tell_who_may_do_what() {
    let head = "# Who may do what\n\nWritten from `grant` in `domain/src/actor.rs`, the one table. \
        *any*: on everything; *own*: on what belongs to a partner of the caller, as far as the \
        caller's role in that partner allows it; blank: nothing.\n";
    let members = "\n## Members of a partner\n\nWritten from `member_may`: what one in this role may \
        do with *own*. The roles of the token have to allow it too; a partner that the token claims \
        is managed.\n";
    let tables = format!("{head}\n{}{members}\n{}", permissions(), memberships());
    is_current("permissions.md", &tables);
}

/// Compares a document with what the code says, or writes it.
fn is_current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/{name} is not current: BLESS=1 cargo test -p domain docs");
}

/// A noun's states and commands, by examples. Where one name needs several, a word tells them
/// apart.
pub(crate) struct StateMachine<A: Decide> {
    /// What leads to each state.
    pub states: Vec<(&'static str, Vec<A::Event>)>,
    /// What can be asked.
    pub commands: Vec<(&'static str, A::Command)>,
}

impl<A> StateMachine<A>
where
    A: Decide + VariantNames,
    A::Command: Clone + VariantNames,
    for<'a> &'static str: From<&'a A> + From<&'a A::Command> + From<&'a A::Error>,
{
    /// A column a state, a row a command. No state and no command is left out.
    pub fn table(&self) -> String {
        let states: Vec<(String, A)> = self
            .states
            .iter()
            .map(|(word, events)| {
                let mut state = A::default();
                for event in events {
                    state.apply(event.clone());
                }
                (named((&state).into(), word), state)
            })
            .collect();
        let commands = self.commands.iter().map(|(_, command)| command.into());
        all_are_there(A::VARIANTS, states.iter().map(|(_, state)| state.into()));
        all_are_there(A::Command::VARIANTS, commands);

        let titles: Vec<&str> = states.iter().map(|(title, _)| title.as_str()).collect();
        let mut table = format!("\n## {}\n\n| | {} |\n", A::TYPE, titles.join(" | "));
        let _ = writeln!(table, "|---|{}", "---|".repeat(titles.len()));
        for (word, command) in &self.commands {
            let outcomes: Vec<String> =
                states.iter().map(|(_, state)| outcome(state, command.clone())).collect();
            let title = named(command.into(), word);
            let _ = writeln!(table, "| {title} | {} |", outcomes.join(" | "));
        }
        table
    }
}

fn named(variant: &'static str, word: &str) -> String {
    if word.is_empty() { format!("**{variant}**") } else { format!("**{variant}** {word}") }
}

fn all_are_there<'a>(expected: &[&'a str], shown: impl Iterator<Item = &'a str>) {
    let (expected, shown): (BTreeSet<&str>, _) =
        (expected.iter().copied().collect(), shown.collect());
    assert_eq!(expected, shown);
}

fn outcome<A: Decide>(state: &A, command: A::Command) -> String
where
    for<'a> &'static str: From<&'a A::Error>,
{
    match state.decide(command) {
        Ok(events) if events.is_empty() => "*nothing*".to_owned(),
        Ok(events) => {
            let names: Vec<String> = events.iter().map(DomainEvent::event_type).collect();
            format!("→ {}", names.join(", "))
        }
        Err(refusal) => format!("`{}`", <&'static str>::from(&refusal)),
    }
}

fn permissions() -> String {
    let roles: Vec<Role> = Role::iter().collect();
    let titles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let mut table = format!("| | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(roles.len()));
    for operation in Operation::iter() {
        let grants: Vec<&str> = roles
            .iter()
            .map(|role| match grant(*role, operation) {
                None => "",
                Some(On::Own) => "own",
                Some(On::Any) => "any",
            })
            .collect();
        let _ = writeln!(table, "| {operation} | {} |", grants.join(" | "));
    }
    table
}

fn memberships() -> String {
    let roles: Vec<MemberRole> = MemberRole::iter().collect();
    let titles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let mut table = format!("| | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(roles.len()));
    // A consent belongs to a person, and a partner that is being registered has no members yet.
    let of_no_partner =
        |name: &str| name.ends_with("Consent") || name == <&str>::from(Operation::RegisterPartner);
    let own = |it: &Operation| Role::iter().any(|role| grant(role, *it) == Some(On::Own));
    for operation in Operation::iter().filter(own).filter(|it| !of_no_partner(it.into())) {
        let may = |role: &MemberRole| if member_may(*role, operation) { "yes" } else { "" };
        let row: Vec<&str> = roles.iter().map(may).collect();
        let _ = writeln!(table, "| {operation} | {} |", row.join(" | "));
    }
    table
}
