//! Words for types that come from async-graphql, which knows too little of ours to describe them.

use crate::expiring::ExpiringItems;
use crate::list::List;
use crate::refused_attempt::{ExportedAttempts, RefusedAttempts};
use async_graphql::SchemaBuilder;
use chrono::{DateTime, Utc};

const LIST: &str = "A part of a list, after the GraphQL Cursor Connections Specification. `first` \
(with `after`) or `last` (with `before`) says how many rows: 1 to 200, 20 when both are absent. \
Refused with PAGE_SIZE, PAGE_AMBIGUOUS or CURSOR_INVALID.";

const TIME: &str = "An instant by RFC 3339, such as `2026-11-22T20:52:00Z`. Every offset is \
understood; answers are in UTC.";

macro_rules! lists {
    ($($noun:ident::$Node:ident),*) => {
        /// Describes the types that the library makes.
        pub fn described<Q, M, S>(schema: SchemaBuilder<Q, M, S>) -> SchemaBuilder<Q, M, S> {
            schema
                .override_input_type_description::<DateTime<Utc>>(TIME)
                .override_output_type_description::<ExpiringItems>(LIST)
                .override_output_type_description::<RefusedAttempts>(LIST)
                .override_output_type_description::<ExportedAttempts>(LIST)
                $(.override_output_type_description::<List<projections::$noun::Row, crate::$noun::$Node>>(LIST))*
        }
    };
}
lists!(
    api_key::ApiKey,
    device::Device,
    extractor::Extractor,
    ftm_chip::FtmChip,
    misp_license::MispLicense,
    oidc_client::OidcClient,
    partner::Partner,
    policy::Policy,
    policy_group::PolicyGroup,
    policy_request::PolicyRequest,
    proposal::Proposal,
    sbi::Sbi,
    trust_certificate::TrustCertificate
);
