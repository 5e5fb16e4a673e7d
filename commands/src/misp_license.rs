//! What can be done with MISP licences.

use crate::event_store::{Name, StreamId};
use crate::issued::{Labelled, Succession};
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use domain::Reason;
use domain::actor::Operation;
use domain::ids::{MispLicenseId, PartnerId, PolicyId};
use domain::issued::{expiry, label};
use domain::misp_license::{self, Command, Grant, MispLicense, MispLicenseKind, Refusal};
use domain::partner::{self, Partner};
use domain::policy::Policy;
use domain::text::{Checks, normal};
use serde::Serialize;

/// A new MISP licence.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "GenerateMispLicenseInput")]
pub struct GenerateMispLicense {
    /// Whose licence it will be.
    pub partner_id: PartnerId,
    /// Under which policy it works: one of the type MISP that the partner was approved for. Needed
    /// when the partner has a policy group.
    pub policy_id: Option<PolicyId>,
    /// Its name: 1 to 36 characters, unique for the partner.
    pub label: String,
    /// When the licence ends: at most 365 days from now; 180 days when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes repeating harmless: 1 to 128 characters. A repetition does not show the key again.
    pub idempotency_key: Option<String>,
}
input!(GenerateMispLicense, "generateMispLicense", new);

/// A successor for a MISP licence, under the same policy and label.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RotateMispLicenseInput")]
pub struct RotateMispLicense {
    /// Which licence.
    pub misp_license_id: MispLicenseId,
    /// Until when it lives beside its successor: at most 30 days from now, seven when absent, and
    /// never longer than it would have lived. A time that is over ends it at once.
    pub overlap_until: Option<DateTime<Utc>>,
    /// When the successor ends: at most 365 days from now; 180 days when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes repeating harmless: 1 to 128 characters. A repetition does not show the key again.
    pub idempotency_key: Option<String>,
    /// The version of the licence's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RotateMispLicense, "rotateMispLicense");

/// Another end for a MISP licence.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SetMispLicenseExpiryInput")]
pub struct SetMispLicenseExpiry {
    /// Which licence.
    pub misp_license_id: MispLicenseId,
    /// When it ends: at most 365 days from now. A key that was rotated only ever ends earlier.
    pub expires_at: DateTime<Utc>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the licence's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SetMispLicenseExpiry, "setMispLicenseExpiry");

/// Ends a MISP licence for good.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateMispLicenseInput")]
pub struct DeactivateMispLicense {
    /// Which licence.
    pub misp_license_id: MispLicenseId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the licence's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateMispLicense, "deactivateMispLicense");

impl Labelled for MispLicenseKind {
    const TAKEN: &'static str = "Another licence of the partner has this label.";

    fn label(grant: &Grant) -> Name {
        let key = format!("{}/{}", grant.partner_id.as_str(), normal(&grant.label));
        Name { kind: "misp_license_label", key }
    }
}

impl Commands {
    /// Issues a licence to an infrastructure provider. Its key is shown once, in the answer to this.
    pub async fn generate_misp_license(
        &self,
        request: &Request,
        input: &GenerateMispLicense,
    ) -> Result<Done> {
        let stream = StreamId::of::<MispLicense>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            let not_found = partner::Refusal::PartnerNotFound;
            unit.permit_on(Operation::GenerateMispLicense, &partner, not_found)?;
            let mut checks = Checks::default();
            let label = label(&mut checks, &input.label);
            let expires_at = expiry(&mut checks, input.expires_at, unit.now);
            checks.done()?;
            entitled(&unit, &partner, input.policy_id.as_ref()).await?;
            let key = self.draw::<MispLicenseKind>()?;
            let grant = Grant {
                partner_id: input.partner_id.clone(),
                policy_id: input.policy_id.clone(),
                label,
                lookup_id: key.lookup_id.clone(),
                last_four: key.last_four.clone(),
                expires_at,
                rotated_from: None,
            };
            self.issue(&unit, unit.begin(), grant, key)
        })
        .await
    }

    /// Issues a licence that takes the place of another one, by the rules of a new one. Its key
    /// is shown once; both open the door until the overlap ends.
    pub async fn rotate_misp_license(
        &self,
        request: &Request,
        input: &RotateMispLicense,
    ) -> Result<Done> {
        let stream = StreamId::of::<MispLicense>(input.misp_license_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.misp_license_id;
            let (old, partner) =
                unit.key::<MispLicenseKind>(Operation::RotateMispLicense, id).await?;
            let times = Succession::new(input.overlap_until, input.expires_at, unit.now)?;
            if let Some(grant) = old.grant() {
                entitled(&unit, &partner, grant.policy_id.as_ref()).await?;
            }
            self.succeed(&unit, old, &times).await
        })
        .await
    }

    /// Lets a licence end at another time.
    pub async fn set_misp_license_expiry(
        &self,
        request: &Request,
        input: &SetMispLicenseExpiry,
    ) -> Result<Done> {
        let stream = StreamId::of::<MispLicense>(input.misp_license_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.misp_license_id;
            let (mut license, _) =
                unit.key::<MispLicenseKind>(Operation::SetMispLicenseExpiry, id).await?;
            unit.set_expiry(&mut license, input.expires_at)
        })
        .await
    }

    /// Ends a licence for good.
    pub async fn deactivate_misp_license(
        &self,
        request: &Request,
        input: &DeactivateMispLicense,
    ) -> Result<Done> {
        let stream = StreamId::of::<MispLicense>(input.misp_license_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.misp_license_id;
            let (mut license, _) =
                unit.key::<MispLicenseKind>(Operation::DeactivateMispLicense, id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut license, Command::Deactivate(reason))?;
            Ok(license.done())
        })
        .await
    }
}

/// A licence is for an active infrastructure provider, under a request that was approved where it
/// works under policies.
async fn entitled(unit: &Unit, partner: &Stream<Partner>, policy: Option<&PolicyId>) -> Result<()> {
    let profile = partner.active().map_err(Vec::from)?;
    let Some(id) = policy else {
        return Ok(misp_license::entitled(profile, None).map_err(Vec::from)?);
    };
    let policy = unit.load::<Policy>(id.as_str()).await?;
    let policy_type = policy.published().map_err(Vec::from)?.policy_type;
    misp_license::entitled(profile, Some(policy_type)).map_err(Vec::from)?;
    let approved = unit.approved_request(&partner.id.as_str().into(), id).await?;
    approved.ok_or(Vec::from(Refusal::PolicyNotApproved))?;
    Ok(())
}
