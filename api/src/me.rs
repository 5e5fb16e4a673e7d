//! Who the caller is, and what the system consists of.

use crate::caller::caller;
use crate::consent::MyConsent;
use crate::errors::{Result, answer};
use crate::partner::Partner;
use async_graphql::{Context, Object, SimpleObject};
use domain::actor::{Operation, Role};
use domain::reference::{
    CREDENTIAL_TYPES, CertificateProfile, CredentialRule, DEVICE_TYPES, GroupRule, LANGUAGES,
    PartnerType, RegisteredBy, TrustDomain,
};
use projections::fold::find_many;
use projections::partner::Row;
use strum::{IntoEnumIterator as _, VariantArray as _};

/// Who asks: what the access token says, and what the log adds to it.
#[derive(SimpleObject)]
pub struct Me {
    /// The subject that the token vouches for.
    subject: String,
    /// The roles of this system that the token carries.
    roles: Vec<Role>,
    /// What these roles allow on what is the caller's own, by the names of mutations and reads.
    permissions: Vec<String>,
    /// The partners that the caller belongs to; `myRole` says as what.
    partners: Vec<Partner>,
    /// Whether one of them works without a policy group but may choose one.
    needs_policy_group: bool,
    /// Whether the caller has agreed to the newest consent text.
    consent_given: bool,
    /// What the caller has agreed to.
    consent: MyConsent,
}

/// What follows from a partner's type.
#[derive(SimpleObject)]
pub struct PartnerTypeTerms {
    /// The type of partner.
    partner_type: PartnerType,
    /// What it is.
    description: &'static str,
    /// The role of the people who act for such a partner.
    role: Role,
    /// The trust store that its certificate has to lead to.
    trust_domain: TrustDomain,
    /// Whether it belongs to a policy group.
    policy_group: GroupRule,
    /// Who may register it.
    registered_by: RegisteredBy,
    /// What its certificate is for.
    certificate_profile: CertificateProfile,
    /// Whether its requests for policies name a credential type and extractors.
    credential: CredentialRule,
}

/// A kind of biometric device.
#[derive(SimpleObject)]
pub struct DeviceType {
    /// The code by which devices name it.
    code: &'static str,
    /// What it is.
    description: &'static str,
    /// Its sub types.
    sub_types: Vec<DeviceSubType>,
}

/// A kind of device within its type.
#[derive(SimpleObject)]
pub struct DeviceSubType {
    /// Its code, unique within the type.
    code: &'static str,
    /// What it is.
    description: &'static str,
}

/// A language in which partners can be written to.
#[derive(SimpleObject)]
pub struct Language {
    /// Its code by ISO 639-3, three lower-case letters.
    code: &'static str,
}

/// Questions about the caller and the reference lists.
#[derive(Default)]
pub struct MeQuery;

#[Object]
impl MeQuery {
    /// Who the caller is.
    async fn me(&self, ctx: &Context<'_>) -> Result<Me> {
        let caller = caller(ctx);
        let actor = &caller.request.actor;
        let ids: Vec<String> =
            caller.memberships.iter().map(|(id, _)| id.as_str().to_owned()).collect();
        let rows = answer(ctx, find_many::<Row>(caller.pool(), &ids).await)?;
        let partners: Vec<Partner> = rows.into_iter().map(Partner::from).collect();
        let consent = MyConsent::of(ctx).await?;
        let permissions = Operation::iter().filter(|operation| actor.may_on_own(*operation));
        Ok(Me {
            subject: actor.subject.clone(),
            roles: actor.roles.iter().copied().collect(),
            permissions: permissions.map(|operation| operation.to_string()).collect(),
            needs_policy_group: partners.iter().any(Partner::needs_policy_group),
            partners,
            consent_given: consent.is_to_the_newest_text(),
            consent,
        })
    }

    /// Every type of partner and what follows from it.
    async fn partner_types(&self) -> Vec<PartnerTypeTerms> {
        PartnerType::VARIANTS.iter().copied().map(terms).collect()
    }

    /// Every kind of biometric device.
    async fn device_types(&self) -> Vec<DeviceType> {
        DEVICE_TYPES.iter().map(device_type).collect()
    }

    /// Every type of credential.
    async fn credential_types(&self) -> &'static [&'static str] {
        CREDENTIAL_TYPES
    }

    /// Every language in which partners can be written to.
    async fn languages(&self) -> Vec<Language> {
        LANGUAGES.iter().map(|language| Language { code: language.code }).collect()
    }
}

fn terms(partner_type: PartnerType) -> PartnerTypeTerms {
    let terms = partner_type.terms();
    PartnerTypeTerms {
        partner_type,
        description: partner_type.description(),
        role: terms.role,
        trust_domain: terms.trust_domain,
        policy_group: terms.policy_group,
        registered_by: terms.registered_by,
        certificate_profile: terms.certificate_profile,
        credential: terms.credential,
    }
}

fn device_type(device: &domain::reference::DeviceType) -> DeviceType {
    let sub_type = |it: &domain::reference::DeviceSubType| DeviceSubType {
        code: it.code,
        description: it.description,
    };
    DeviceType {
        code: device.code,
        description: device.description,
        sub_types: device.sub_types.iter().map(sub_type).collect(),
    }
}
