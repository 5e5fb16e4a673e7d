//! Who a partner is, and how far it came.

use super::authority::digest;
use commands::Request;
use domain::actor::Actor;
use domain::ids::PartnerId;
use domain::reference::{CREDENTIAL_TYPES, CredentialRule, PartnerType};
use std::collections::BTreeSet;
use strum::{EnumIter, IntoEnumIterator as _, VariantArray as _};

/// How far a partner came. A maker, which asks for no policy, makes the more the further it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter)]
pub enum Fate {
    /// It has no certificate yet.
    Registered,
    /// It may work, and has not made up its mind.
    Active,
    /// What it asked for waits.
    Requested,
    /// What it asked for was refused.
    Rejected,
    /// What it asked for was allowed.
    Approved,
    /// It works.
    Keyed,
    /// It worked under an approval that was taken back.
    Revoked,
    /// It was stopped for a while.
    Suspended,
    /// It has ended.
    Deactivated,
}

/// One partner of the world.
pub struct Character {
    pub number: u32,
    pub id: String,
    pub organization: String,
    /// The subject that manages it.
    pub member: String,
    pub partner_type: PartnerType,
    pub fate: Fate,
}

const FIRST: [&str; 12] = [
    "Northern",
    "First",
    "United",
    "Lakeside",
    "Summit",
    "Harbour",
    "Royal",
    "Meridian",
    "Golden",
    "Pioneer",
    "Evergreen",
    "Crescent",
];

impl Character {
    /// Types follow each other; each type meets every fate in turn.
    pub fn of(seed: u64, number: u32) -> Self {
        let types = PartnerType::VARIANTS;
        let fates: Vec<Fate> = Fate::iter().collect();
        let partner_type = types[number as usize % types.len()];
        let fate = fates[number as usize / types.len() % fates.len()];
        let first = FIRST[usize::from(digest(seed, &format!("name {number}"))[0]) % FIRST.len()];
        let id = format!("demo{seed}-{number:05}");
        let organization = format!("{first} {} {number}", trade(partner_type));
        Self { number, member: format!("{id}-office"), id, organization, partner_type, fate }
    }

    pub fn partner_id(&self) -> PartnerId {
        PartnerId::from(self.id.as_str())
    }

    /// Repeating the demo repeats nothing.
    pub fn key(&self, what: &str) -> String {
        format!("{} {what}", self.id)
    }

    /// Whether it has to do with one policy: how far it came says what became of its request.
    pub fn asks_for_a_policy(&self) -> bool {
        (Fate::Requested..=Fate::Revoked).contains(&self.fate)
    }

    pub fn names_credentials(&self) -> bool {
        self.partner_type.terms().credential == CredentialRule::Needed
    }

    pub fn credential_type(&self) -> Option<String> {
        let mine = CREDENTIAL_TYPES[self.number as usize % CREDENTIAL_TYPES.len()];
        self.names_credentials().then(|| mine.to_owned())
    }

    /// What its manager wishes.
    pub fn request(&self) -> Request {
        Request::new(Actor {
            subject: self.member.clone(),
            roles: BTreeSet::from([self.partner_type.terms().role]),
            claimed_partners: BTreeSet::new(),
        })
    }
}

fn trade(partner_type: PartnerType) -> &'static str {
    match partner_type {
        PartnerType::AuthPartner => "Bank",
        PartnerType::DeviceProvider => "Biometrics",
        PartnerType::FtmProvider => "Semiconductors",
        PartnerType::MispPartner => "Networks",
        PartnerType::CredentialPartner | PartnerType::PrintPartner => "Card Printers",
        PartnerType::AbisPartner => "Matching Engines",
        PartnerType::ManualAdjudication => "Adjudication Office",
        PartnerType::OnlineVerificationPartner => "Verification",
        PartnerType::SdkPartner => "Software",
        PartnerType::BindingPartner => "Wallets",
        PartnerType::InternalPartner | PartnerType::PartnerAdmin => "Department",
    }
}
