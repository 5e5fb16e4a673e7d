//! The kinds of things that can be asked for by id.

use async_graphql::Enum;
use domain::actor::Operation;
use serde::Deserialize;
use strum::{Display, IntoStaticStr, VariantArray};

/// A kind of thing that has a life of its own.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Deserialize,
    Display,
    Enum,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Noun {
    /// What `partner(id:)` asks for.
    Partner,
    /// What `trustCertificate(id:)` asks for.
    TrustCertificate,
    /// What `policyGroup(id:)` asks for.
    PolicyGroup,
    /// What `policy(id:)` asks for.
    Policy,
    /// What `policyRequest(id:)` asks for.
    PolicyRequest,
    /// What `extractor(id:)` asks for.
    Extractor,
    /// What `apiKey(id:)` asks for.
    ApiKey,
    /// What `mispLicense(id:)` asks for.
    MispLicense,
    /// What `oidcClient(id:)` asks for.
    OidcClient,
    /// What `sbi(id:)` asks for.
    Sbi,
    /// What `device(id:)` asks for.
    Device,
    /// What `ftmChip(id:)` asks for.
    FtmChip,
    /// What `proposal(id:)` asks for.
    Proposal,
}

impl Noun {
    /// The name of its streams.
    pub fn stored_name(self) -> &'static str {
        self.into()
    }

    /// What has to be allowed to see it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Partner => Operation::ReadPartner,
            Self::TrustCertificate => Operation::ReadTrustCertificate,
            Self::PolicyGroup => Operation::ReadPolicyGroup,
            Self::Policy => Operation::ReadPolicy,
            Self::PolicyRequest => Operation::ReadPolicyRequest,
            Self::Extractor => Operation::ReadExtractor,
            Self::ApiKey => Operation::ReadApiKey,
            Self::MispLicense => Operation::ReadMispLicense,
            Self::OidcClient => Operation::ReadOidcClient,
            Self::Sbi => Operation::ReadSbi,
            Self::Device => Operation::ReadDevice,
            Self::FtmChip => Operation::ReadFtmChip,
            Self::Proposal => Operation::ReadProposal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Consents are their givers' own business and have no query by id.
    #[test]
    fn every_read_table_but_that_of_consents_has_its_noun() {
        let mut nouns: Vec<&str> = Noun::VARIANTS.iter().map(|noun| noun.stored_name()).collect();
        nouns.push("consent");
        let mut tables: Vec<&str> = crate::TABLES.iter().map(|table| table.name).collect();
        nouns.sort_unstable();
        tables.sort_unstable();
        assert_eq!(nouns, tables);
    }
}
