//! Words for types that come from async-graphql, which knows too little of ours to describe them.

use crate::api_key::ApiKey;
use crate::device::Device;
use crate::expiring::ExpiringItem;
use crate::extractor::Extractor;
use crate::ftm_chip::FtmChip;
use crate::list::List;
use crate::misp_license::MispLicense;
use crate::oidc_client::OidcClient;
use crate::partner::Partner;
use crate::policy::Policy;
use crate::policy_group::PolicyGroup;
use crate::policy_request::PolicyRequest;
use crate::proposal::Proposal;
use crate::sbi::Sbi;
use crate::trust_certificate::TrustCertificate;
use async_graphql::SchemaBuilder;
use chrono::{DateTime, Utc};

const LIST: &str = "A part of a list, after the GraphQL Cursor Connections Specification. `first` \
(with `after`) or `last` (with `before`) says how many rows: 1 to 200, 20 when both are absent. \
Refused with PAGE_SIZE, PAGE_AMBIGUOUS or CURSOR_INVALID.";

const TIME: &str = "An instant by RFC 3339, such as `2026-11-22T20:52:00Z`. Every offset is \
understood; answers are in UTC.";

macro_rules! lists {
    ($($Node:ident),*) => {
        /// Describes the types that the library makes.
        pub fn described<Q, M, S>(schema: SchemaBuilder<Q, M, S>) -> SchemaBuilder<Q, M, S> {
            schema
                .override_input_type_description::<DateTime<Utc>>(TIME)
                $(.override_output_type_description::<List<$Node>>(LIST))*
        }
    };
}
lists!(
    ApiKey,
    Device,
    ExpiringItem,
    Extractor,
    FtmChip,
    MispLicense,
    OidcClient,
    Partner,
    Policy,
    PolicyGroup,
    PolicyRequest,
    Proposal,
    Sbi,
    TrustCertificate
);
