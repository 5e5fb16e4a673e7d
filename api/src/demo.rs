//! A believable world, made through the same commands as everybody's.
//!
//! Everything follows from the seed: who there is, what they are called, which certificates and
//! keys they have and how far they came. Running it again finishes what was interrupted and changes
//! nothing else, for as long as idempotency keys are kept and within one year; only ids and times
//! that the system gives are new in another system.

mod authority;
mod character;
mod clients;
mod makers;
mod menu;
mod partners;
mod proposals;
mod requests;

use authority::Authority;
use character::{Character, Fate};
use clap::Args;
use commands::consent::{GiveConsent, WithdrawConsent};
use commands::extractor::{CreateExtractor, DeleteExtractor};
use commands::policy_request::ChosenExtractor;
use commands::trust_certificate::{DisableTrustCertificate, RevokeTrustCertificate};
use commands::{Commands, Error, Request, Result};
use domain::actor::{Actor, Role};
use domain::ids::{ExtractorId, TrustCertificateId};
use domain::reference::{Modality, PartnerType, TrustDomain, consent_text};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use menu::Menu;
use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray as _;

/// Partners that are under way at once: as many as make full batches.
const AT_ONCE: usize = 64;

/// Fills a system with every kind of thing in every state.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// How many partners.
    #[arg(long, default_value_t = 150)]
    partners: u32,
    /// The same seed makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Demo {
    /// A world of this many partners.
    pub fn new(partners: u32, seed: u64) -> Self {
        Self { partners, seed }
    }

    /// Makes the world.
    pub async fn run(&self, commands: &Commands) -> Result<()> {
        commands.bootstrap().await?;
        let world = World::found(commands, self.seed).await?;
        let bar = progress(self.partners);
        stream::iter(0..self.partners)
            .map(|number| world.partner(number))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| {
                bar.inc(1);
                std::future::ready(Ok(()))
            })
            .await?;
        bar.finish();
        Ok(())
    }
}

fn progress(partners: u32) -> ProgressBar {
    let style = "{wide_bar} {pos}/{len} partners, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(partners.into()).with_style(style)
}

/// What all partners share.
struct World<'a> {
    commands: &'a Commands,
    seed: u64,
    authorities: BTreeMap<TrustDomain, Authority>,
    menu: Menu,
    extractors: Vec<ChosenExtractor>,
}

impl<'a> World<'a> {
    /// All that there is before the first partner comes.
    async fn found(commands: &'a Commands, seed: u64) -> Result<Self> {
        let mut authorities = BTreeMap::new();
        for domain in TrustDomain::VARIANTS {
            authorities.insert(*domain, authority(commands, seed, *domain).await?);
        }
        old_roots(commands, seed).await?;
        let menu = Menu::write(commands, seed).await?;
        proposals::make(commands, seed, &menu).await?;
        let extractors = extractors(commands, seed).await?;
        staff_changes_its_mind(commands, seed).await?;
        Ok(Self { commands, seed, authorities, menu, extractors })
    }

    /// One partner, from its registration to its fate.
    async fn partner(&self, number: u32) -> Result<()> {
        let one = Character::of(self.seed, number);
        self.register(&one).await?;
        self.people(&one).await?;
        if one.fate == Fate::Registered {
            return Ok(());
        }
        self.upload_certificate(&one).await?;
        match one.partner_type {
            PartnerType::DeviceProvider => self.make_devices(&one).await?,
            PartnerType::FtmProvider => self.make_chips(&one).await?,
            _ => self.work_under_policies(&one).await?,
        }
        self.end(&one).await
    }

    fn authority(&self, domain: TrustDomain) -> Result<&Authority> {
        self.authorities.get(&domain).ok_or_else(|| Error::fault("a domain without authority"))
    }
}

/// A root and an intermediate of one domain; the intermediate issues to partners.
async fn authority(commands: &Commands, seed: u64, domain: TrustDomain) -> Result<Authority> {
    let root = Authority::root(seed, domain, "Root")?;
    let issuing = root.intermediate()?;
    for authority in [&root, &issuing] {
        commands.upload_trust_certificate(&staff(), &authority.trusted()).await?;
    }
    Ok(issuing)
}

/// A root that is trusted no more for a while, and one that is never trusted again.
async fn old_roots(commands: &Commands, seed: u64) -> Result<()> {
    let input = DisableTrustCertificate {
        trust_certificate_id: trusted_root(commands, seed, "Old Root").await?,
        reason: "Its key was lost".to_owned(),
        idempotency_key: Some(key(seed, "old root")),
        expected_version: None,
    };
    commands.disable_trust_certificate(&staff(), &input).await?;
    let input = RevokeTrustCertificate {
        trust_certificate_id: trusted_root(commands, seed, "Stolen Root").await?,
        reason: "Its key was stolen".to_owned(),
        idempotency_key: Some(key(seed, "stolen root")),
        expected_version: None,
    };
    commands.revoke_trust_certificate(&staff(), &input).await?;
    Ok(())
}

async fn trusted_root(commands: &Commands, seed: u64, name: &str) -> Result<TrustCertificateId> {
    let root = Authority::root(seed, TrustDomain::Auth, name)?;
    let uploaded = commands.upload_trust_certificate(&staff(), &root.trusted()).await?;
    Ok(uploaded.done.id.as_str().into())
}

/// Three to choose from, and one that was taken off the menu.
async fn extractors(commands: &Commands, seed: u64) -> Result<Vec<ChosenExtractor>> {
    let mut chosen = Vec::new();
    for (modality, name, attribute) in [
        (Modality::Face, "Face templates", "photo"),
        (Modality::Iris, "Iris templates", "iris"),
        (Modality::Finger, "Finger templates", "fingerprints"),
    ] {
        let extractor_id = extractor(commands, seed, modality, name, attribute).await?;
        chosen.push(ChosenExtractor { modality, extractor_id });
    }
    let input = DeleteExtractor {
        extractor_id: extractor(commands, seed, Modality::Face, "Old face templates", "photo")
            .await?,
        reason: "Its templates are read no more".to_owned(),
        idempotency_key: Some(key(seed, "old extractor")),
        expected_version: None,
    };
    commands.delete_extractor(&staff(), &input).await?;
    Ok(chosen)
}

async fn extractor(
    commands: &Commands,
    seed: u64,
    modality: Modality,
    name: &str,
    attribute: &str,
) -> Result<ExtractorId> {
    let input = CreateExtractor {
        name: format!("Demo {seed} {name}"),
        provider: "Open Biometrics".to_owned(),
        version: "1.1".to_owned(),
        modality,
        attribute_name: attribute.to_owned(),
        data_format: None,
        idempotency_key: Some(key(seed, name)),
    };
    Ok(commands.create_extractor(&staff(), &input).await?.id.as_str().into())
}

/// One of the staff agrees to the consent text, and takes it back.
async fn staff_changes_its_mind(commands: &Commands, seed: u64) -> Result<()> {
    let given = GiveConsent {
        text_version: consent_text().version,
        idempotency_key: Some(key(seed, "consent")),
        expected_version: None,
    };
    commands.give_consent(&second_of_staff(), &given).await?;
    let withdrawn = WithdrawConsent {
        reason: Some("Has left the office".to_owned()),
        idempotency_key: Some(key(seed, "no consent")),
        expected_version: None,
    };
    commands.withdraw_consent(&second_of_staff(), &withdrawn).await?;
    Ok(())
}

/// The idempotency key of what the staff wishes: repeating the demo repeats nothing.
fn key(seed: u64, what: &str) -> String {
    format!("demo{seed} {what}")
}

/// The people who run the demo system.
fn staff() -> Request {
    administrator("demo-admin")
}

/// Somebody else of them: who proposes cannot confirm.
fn second_of_staff() -> Request {
    administrator("demo-second-admin")
}

fn administrator(subject: &str) -> Request {
    Request::new(Actor {
        subject: subject.to_owned(),
        roles: BTreeSet::from([Role::PartnerAdmin]),
        claimed_partners: BTreeSet::new(),
    })
}
