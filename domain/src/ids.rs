//! Names of things. All are text of at most 36 characters, except an OIDC client's, which has 43: a
//! partner's id is chosen by whoever registers it, an OIDC client's follows from its first key, all
//! others are UUIDs of version 7, except bootstrapped ones.

use async_graphql::{ID, NewType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Debug,
            Clone,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            Serialize,
            Deserialize,
            JsonSchema,
            NewType,
        )]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] pub ID);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(ID(text.to_owned()))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(/// An organisation that works with the national ID. Unique ignoring case; as typed otherwise.
    PartnerId);
id!(/// A family of policies, such as "Banking".
    PolicyGroupId);
id!(/// What a partner may ask of the ID system.
    PolicyId);
id!(/// A partner's wish to work under a policy.
    PolicyRequestId);
id!(/// A configuration of a biometric extractor.
    ExtractorId);
id!(/// The public part of an API key's life: never the key itself.
    ApiKeyId);
id!(/// The public part of a MISP licence's life: never the licence key itself.
    MispLicenseId);
id!(/// A command that waits for a second person.
    ProposalId);
id!(/// An OpenID Connect client: 43 characters, as eSignet knows it.
    OidcClientId);
id!(/// A root or intermediate certificate that is trusted in one domain.
    TrustCertificateId);
id!(/// A secure biometric interface: one version of the software that drives a provider's devices.
    SbiId);
id!(/// A make and model of biometric device.
    DeviceId);
id!(/// A make and model of foundational trust module chip.
    FtmChipId);

/// The longest id that somebody chooses, in characters.
pub const MAX_ID: usize = 36;
