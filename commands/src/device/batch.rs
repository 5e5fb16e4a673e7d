//! A batch of new devices: all of them or the good ones, in one submission, and what became of each.

use super::{name, normal_form};
use crate::event_store::StreamId;
use crate::unit::{Decided, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::{Enum, InputObject};
use domain::Finding;
use domain::actor::Operation;
use domain::device::{Command, Device, Model};
use domain::ids::{DeviceId, PartnerId, SbiId};
use domain::partner::{self, Partner};
use domain::reference::PartnerType;
use domain::text::Checks;
use serde::Serialize;
use std::collections::HashMap;

/// The most devices of one batch (MOSIP PMS 1.2.2.2).
pub const MAX_BATCH: usize = 25;

/// New devices of one provider.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "AddDevicesInput")]
pub struct AddDevices {
    /// Who makes them: an active device provider.
    pub partner_id: PartnerId,
    /// The secure biometric interface that they rest on: one of the provider that is approved and
    /// has not expired. Without one they have to be linked before they can be approved.
    pub sbi_id: Option<SbiId>,
    /// 1 to 25 devices.
    pub devices: Vec<NewDevice>,
    /// What becomes of the batch when something is wrong with one of them.
    #[graphql(default)]
    pub mode: BatchMode,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(AddDevices, "addDevices", new);

/// One device of a batch; live ones of one provider differ in one of these at least.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "NewDeviceInput")]
pub struct NewDevice {
    /// What kind of device it is: a code of `deviceTypes`.
    pub device_type: String,
    /// In which way it is built: a code of that type's sub types.
    pub device_sub_type: String,
    /// Who made it: 1 to 36 characters.
    pub make: String,
    /// Which one it is: 1 to 36 characters.
    pub model: String,
}

/// What becomes of a batch when something is wrong with one of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchMode {
    /// Nothing is stored, and what is wrong with any row is told as errors of the mutation.
    #[default]
    AllOrNothing,
    /// Good rows are stored together, and what is wrong with the others is told row by row.
    Each,
}

/// What became of a batch.
#[derive(Debug)]
pub struct AddedDevices {
    /// Of each row in order: the device, or what is wrong with it.
    pub rows: Vec<Result<DeviceId, Vec<Finding>>>,
    /// The position that shows the devices.
    pub position: i64,
}

/// One row of a batch: what would be stored, or everything that is wrong with it.
type Row = Result<Model, Vec<Finding>>;

impl Commands {
    /// Offers a batch of devices.
    pub async fn add_devices(&self, request: &Request, input: &AddDevices) -> Result<AddedDevices> {
        let stream = StreamId::of::<Device>(&new_id().to_string());
        let done = self.run(request, input, stream, |unit| async move {
            let provider = unit.load::<Partner>(input.partner_id.as_str()).await?;
            let not_found = partner::Refusal::PartnerNotFound;
            unit.permit_on(Operation::AddDevices, &provider, not_found)?;
            check_size(input)?;
            let (rows, holders) = self.checked(input).await?;
            unit.load_many::<Device>(&holders).await?; // their end would free the names
            if input.mode == BatchMode::AllOrNothing {
                refuse_any(&rows)?;
            }
            provider.active_as(PartnerType::DeviceProvider).map_err(Vec::from)?;
            if let Some(sbi) = &input.sbi_id {
                unit.sbi_of(&provider.id, sbi).await?.live(unit.now).map_err(Vec::from)?;
            }
            let add = |row: Row| row.ok().map(|model| add(&unit, input, model)).transpose();
            let ids = rows.into_iter().map(add).collect::<Result<Vec<_>>>()?;
            Ok(Decided::about_many(to_text(&ids)))
        });
        self.told(input, done.await?).await
    }

    /// Every row, and the devices that hold the names of some.
    async fn checked(&self, input: &AddDevices) -> Result<(Vec<Row>, Vec<String>)> {
        let mut rows: Vec<Row> = input.devices.iter().enumerate().map(read).collect();
        refuse_repetitions(&mut rows);
        let held = self.held(input, &rows).await?;
        for (index, _) in &held {
            rows[*index] = Err(vec![taken(*index)]);
        }
        Ok((rows, held.into_iter().map(|(_, holder)| holder).collect()))
    }

    /// The good rows whose names are taken, each with the device that holds it.
    async fn held(&self, input: &AddDevices, rows: &[Row]) -> Result<Vec<(usize, String)>> {
        let name = |(index, row): (usize, &Row)| {
            Some((index, name(&input.partner_id, row.as_ref().ok()?)))
        };
        let (good, names): (Vec<_>, Vec<_>) = rows.iter().enumerate().filter_map(name).unzip();
        let holders = self.store().holders(&names).await?;
        let held = |(index, holder): (usize, Option<String>)| {
            Some((index, holder?.strip_prefix("device/")?.to_owned()))
        };
        Ok(good.into_iter().zip(holders).filter_map(held).collect())
    }

    /// What became of the batch, now or when it was sent first. Only the ids are remembered: rows
    /// that were refused are looked at again.
    async fn told(&self, input: &AddDevices, done: Done) -> Result<AddedDevices> {
        let ids = from_text(&done.id);
        let looked_at = if ids.contains(&None) { self.checked(input).await?.0 } else { vec![] };
        let mut looked_at = looked_at.into_iter();
        let row = |(index, id): (usize, Option<DeviceId>)| {
            let findings = looked_at.next().and_then(Result::err);
            id.ok_or_else(|| findings.unwrap_or_else(|| vec![refused_earlier(index)]))
        };
        let rows = ids.into_iter().enumerate().map(row).collect();
        Ok(AddedDevices { rows, position: done.position })
    }
}

fn check_size(input: &AddDevices) -> Result<()> {
    let mut checks = Checks::default();
    checks.add_if(!(1..=MAX_BATCH).contains(&input.devices.len()), || {
        let message = format!("A batch has 1 to {MAX_BATCH} devices.");
        Finding::new("BATCH_SIZE", "devices", message).with("max", MAX_BATCH)
    });
    Ok(checks.done()?)
}

fn read((index, typed): (usize, &NewDevice)) -> Row {
    let typed = Model {
        device_type: typed.device_type.clone(),
        device_sub_type: typed.device_sub_type.clone(),
        make: typed.make.clone(),
        model: typed.model.clone(),
    };
    Model::new(&typed, &format!("devices[{index}]."))
}

/// Of rows that are the same device, the first one counts.
fn refuse_repetitions(rows: &mut [Row]) {
    let mut seen = HashMap::new();
    for (index, row) in rows.iter_mut().enumerate() {
        let Ok(model) = row else { continue };
        let first = *seen.entry(normal_form(model)).or_insert(index);
        if first != index {
            *row = Err(vec![repeated(index, first)]);
        }
    }
}

fn repeated(index: usize, first: usize) -> Finding {
    let message = format!("devices[{first}] is the same device.");
    Finding::new("DEVICE_REPEATED", format!("devices[{index}].make"), message).with("first", first)
}

fn taken(index: usize) -> Finding {
    let message = "The provider has this device already.";
    Finding::new("DEVICE_EXISTS", format!("devices[{index}].make"), message)
}

fn refused_earlier(index: usize) -> Finding {
    let message = "This row was refused when the batch was sent first; it can be sent again now.";
    Finding::new("REFUSED_EARLIER", format!("devices[{index}]"), message)
}

fn refuse_any(rows: &[Row]) -> Result<()> {
    let mut checks = Checks::default();
    checks.extend(rows.iter().filter_map(|row| row.as_ref().err()).flatten().cloned());
    Ok(checks.done()?)
}

/// Adds a device that nothing is wrong with. Who takes its name meanwhile makes the whole batch be
/// looked at again.
fn add(unit: &Unit, input: &AddDevices, model: Model) -> Result<String> {
    let mut device = unit.begin::<Device>();
    unit.claim(name(&input.partner_id, &model), device.stream_id(), None);
    unit.raise(crate::partner::holds(input.partner_id.as_str()));
    if let Some(sbi) = &input.sbi_id {
        unit.raise(crate::sbi::devices(sbi.as_str()));
    }
    let (provider_id, sbi_id) = (input.partner_id.clone(), input.sbi_id.clone());
    unit.decide(&mut device, Command::Add { provider_id, model, sbi_id })?;
    Ok(device.id)
}

/// The ids of a batch's rows in one text, as an idempotency key remembers them: `-` stands for a
/// row that was refused.
fn to_text(ids: &[Option<String>]) -> String {
    ids.iter().map(|id| id.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" ")
}

fn from_text(text: &str) -> Vec<Option<DeviceId>> {
    text.split(' ').map(|id| (id != "-").then(|| id.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_batch_are_remembered_row_by_row() {
        let ids = [Some("one".to_owned()), None, Some("two".to_owned())];
        assert_eq!(to_text(&ids), "one - two");
        let one = DeviceId::from("one");
        assert_eq!(from_text("one - two"), [Some(one), None, Some("two".into())]);
        assert_eq!(from_text("-"), [None]);
    }

    #[test]
    fn of_the_same_device_twice_the_first_one_counts() {
        let device = |make: &str| NewDevice {
            device_type: "Finger".to_owned(),
            device_sub_type: "Slap".to_owned(),
            make: make.to_owned(),
            model: "F 1".to_owned(),
        };
        let typed = [device("Acme"), device("Other"), device(" ACME"), device("")];
        let mut rows: Vec<Row> = typed.iter().enumerate().map(read).collect();
        refuse_repetitions(&mut rows);
        let findings = rows.iter().filter_map(|row| row.as_ref().err()).flatten();
        let told: Vec<String> = findings.map(|it| format!("{}: {}", it.field, it.code)).collect();
        assert_eq!(told, ["devices[2].make: DEVICE_REPEATED", "devices[3].make: EMPTY"]);
    }
}
