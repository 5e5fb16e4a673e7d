//! What can be done with biometric extractors.

use crate::event_store::{Name, StreamId};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use domain::actor::Operation;
use domain::extractor::{Command, Configuration, Extractor};
use domain::ids::ExtractorId;
use domain::reference::Modality;
use domain::text::normal;
use domain::{Finding, Reason};
use serde::Serialize;

/// A new extractor; it never changes.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "CreateExtractorInput")]
pub struct CreateExtractor {
    /// Its name: 1 to 128 characters, unique after normalisation.
    pub name: String,
    /// Who makes the product: 1 to 128 characters.
    pub provider: String,
    /// The product's version: 1 to 8 characters.
    pub version: String,
    /// What it makes templates of.
    pub modality: Modality,
    /// The attribute that carries the templates in the shared data: 1 to 128 characters.
    pub attribute_name: String,
    /// The format of the templates, where it is not the provider's own: 1 to 64 characters.
    pub data_format: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(CreateExtractor, "createExtractor", new);

/// Takes an extractor that no request names off the menu.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeleteExtractorInput")]
pub struct DeleteExtractor {
    /// Which extractor.
    pub extractor_id: ExtractorId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the extractor that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeleteExtractor, "deleteExtractor");

/// The fence of the requests that name an extractor.
pub(crate) fn uses(extractor: &str) -> String {
    format!("extractor/{extractor}:uses")
}

impl Commands {
    /// Makes an extractor known.
    pub async fn create_extractor(
        &self,
        request: &Request,
        input: &CreateExtractor,
    ) -> Result<Done> {
        let stream = StreamId::of::<Extractor>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            unit.permit(Operation::CreateExtractor)?;
            let configuration = configuration(input).checked()?;
            let mut extractor = unit.begin::<Extractor>();
            let message = "An extractor with this name exists.";
            let taken = Finding::new("EXTRACTOR_NAME_TAKEN", "name", message);
            unit.claim(name(&configuration), extractor.stream_id(), Some(taken));
            unit.decide(&mut extractor, Command::Create(configuration))?;
            Ok(extractor.done())
        })
        .await
    }

    /// Takes an extractor off the menu; its name is free again.
    pub async fn delete_extractor(
        &self,
        request: &Request,
        input: &DeleteExtractor,
    ) -> Result<Done> {
        let id = input.extractor_id.as_str();
        self.run(request, input, StreamId::of::<Extractor>(id), |unit| async move {
            unit.permit(Operation::DeleteExtractor)?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.fence(uses(id)).await?;
            let uses = projections::policy_request::uses(unit.pool(), &[id.to_owned()]).await?;
            let uses = uses.first().map_or(0, |(_, count)| *count);
            let mut extractor = unit.load::<Extractor>(id).await?;
            unit.expect(&extractor)?;
            let delete = Command::Delete { reason, uses };
            if unit.decide(&mut extractor, delete)?
                && let Extractor::Deleted(configuration) = &*extractor
            {
                unit.release(name(configuration), extractor.stream_id());
            }
            Ok(extractor.done())
        })
        .await
    }
}

fn configuration(input: &CreateExtractor) -> Configuration {
    Configuration {
        name: input.name.clone(),
        provider: input.provider.clone(),
        version: input.version.clone(),
        modality: input.modality,
        attribute_name: input.attribute_name.clone(),
        data_format: input.data_format.clone(),
    }
}

fn name(configuration: &Configuration) -> Name {
    Name { kind: "extractor_name", key: normal(&configuration.name) }
}
