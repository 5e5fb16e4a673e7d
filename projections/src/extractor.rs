//! Biometric extractors, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::extractor::{Event, Extractor};
use domain::ids::ExtractorId;
use domain::reference::Modality;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// What makes the biometric templates that are shared with credential partners.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "ExtractorRow")]
pub struct Row {
    /// The extractor's id.
    pub id: ExtractorId,
    /// How many events the extractor has had; give it as `expectedVersion`.
    pub version: i64,
    /// Whether requests can name it.
    pub status: ExtractorStatus,
    /// Why it was deleted.
    pub status_reason: Option<String>,
    /// Unique after normalisation.
    pub name: String,
    /// Who makes the product.
    pub provider: String,
    /// The product's version.
    pub provider_version: String,
    /// What it makes templates of.
    pub modality: Modality,
    /// The attribute that carries the templates in the shared data.
    pub attribute_name: String,
    /// The format of the templates, where it is not the provider's own.
    pub data_format: Option<String>,
    /// When the extractor was created.
    pub created_at: DateTime<Utc>,
    /// The subject that created it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where an extractor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ExtractorStatus {
    /// Requests can name it.
    Active,
    /// Off the menu.
    Deleted,
}

impl Fold for Row {
    type Noun = Extractor;
    const DDL: &'static str = include_str!("../../migrations/read/extractor.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Created(_), _) => created(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Created(_) => {}
            Event::Deleted { reason } => {
                row.status = ExtractorStatus::Deleted;
                row.status_reason = Some(reason.as_str().to_owned());
            }
        }
        Some(row)
    }
}

fn created(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Created(it) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: ExtractorStatus::Active,
        status_reason: None,
        name: it.name.clone(),
        provider: it.provider.clone(),
        provider_version: it.version.clone(),
        modality: it.modality,
        attribute_name: it.attribute_name.clone(),
        data_format: it.data_format.clone(),
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

/// Which extractors to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct ExtractorFilter {
    /// The extractor's id.
    pub extractor_id: Option<TextFilter>,
    /// Its name.
    pub name: Option<TextFilter>,
    /// Who makes the product.
    pub provider: Option<TextFilter>,
    /// The product's version.
    pub provider_version: Option<TextFilter>,
    /// One of these modalities.
    pub modality: Option<Vec<Modality>>,
    /// One of these states.
    pub status: Option<Vec<ExtractorStatus>>,
    /// When it was created.
    pub created_at: Option<TimeFilter>,
}

/// What extractors can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum ExtractorSort {
    Id,
    Name,
    Provider,
    ProviderVersion,
    Modality,
    Status,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for ExtractorSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::Name => Key::text("lower(t.name)"),
            Self::Provider => Key::text("lower(t.provider)"),
            Self::ProviderVersion => Key::text("lower(t.provider_version)"),
            Self::Modality => Key::text("t.modality"),
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of extractors whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum ExtractorDistinct {
    Provider,
    ProviderVersion,
    Modality,
    Status,
}

impl Listed for Row {
    type Filter = ExtractorFilter;
    type Sort = ExtractorSort;
    type Distinct = ExtractorDistinct;

    fn filter(filter: &ExtractorFilter, conditions: &mut Conditions) {
        conditions.text("t.id", filter.extractor_id.as_ref());
        conditions.text("t.name", filter.name.as_ref());
        conditions.text("t.provider", filter.provider.as_ref());
        conditions.text("t.provider_version", filter.provider_version.as_ref());
        conditions.any_of("t.modality", filter.modality.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    /// The extractors are the menu that every credential partner chooses from.
    fn scope(_: &[String], _: &mut Conditions) {}
}
