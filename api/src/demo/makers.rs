//! What makers make: the software of devices, the devices that rest on it, and chips.

use super::authority::{digest, new_year};
use super::character::{Character, Fate};
use super::{World, staff};
use chrono::Months;
use commands::device::{
    AddDevices, ApproveDevice, BatchMode, DeactivateDevice, NewDevice, RejectDevice,
};
use commands::ftm_chip::{
    AddFtmChip, ApproveFtmChip, DeactivateFtmChip, RejectFtmChip, UploadFtmChipCertificate,
};
use commands::sbi::{AddSbi, ApproveSbi, DeactivateSbi, RejectSbi};
use commands::{Error, Result};
use domain::ids::{DeviceId, FtmChipId, SbiId};

/// How long software is good for, counted from the new year before it was offered.
const LIFE: Months = Months::new(36);

impl World<'_> {
    /// The software of devices and the devices, as far as the maker came.
    pub(super) async fn make_devices(&self, one: &Character) -> Result<()> {
        if one.fate < Fate::Requested {
            return Ok(());
        }
        let next = self.add_sbi(one, "3.0").await?;
        if one.fate == Fate::Rejected {
            self.reject_sbi(one, next).await?;
        }
        if one.fate >= Fate::Approved {
            let current = self.add_sbi(one, "2.0").await?;
            self.approve_sbi(one, "2.0", current.clone()).await?;
            self.add_range(one, current).await?;
        }
        if one.fate >= Fate::Keyed {
            self.add_devices(one, "prototypes", None, vec![device(one, "P 1")]).await?;
            self.end_old_sbi(one).await?;
        }
        Ok(())
    }

    /// Devices of every state that rest on one interface. One row of the batch is refused: there is
    /// no such device.
    async fn add_range(&self, one: &Character, sbi: SbiId) -> Result<()> {
        let mut range = ["F 1", "F 2", "F 3", "F 4"].map(|model| device(one, model)).to_vec();
        range.push(NewDevice { device_type: "Voice".to_owned(), ..device(one, "V 1") });
        let devices = self.add_devices(one, "range", Some(sbi), range).await?;
        let [approved, ended, rejected, _pending] = &devices[..] else {
            return Err(Error::fault("a batch of the demo has four good rows"));
        };
        self.approve_device(one, "approve F 1", approved).await?;
        self.approve_device(one, "approve F 2", ended).await?;
        let reason = "Its sensor ages too fast".to_owned();
        let idempotency_key = Some(one.key("end F 2"));
        let (device_id, expected_version) = (ended.clone(), None);
        let input = DeactivateDevice { device_id, reason, idempotency_key, expected_version };
        self.commands.deactivate_device(&one.request(), &input).await?;
        let reason = "Its images are too dark".to_owned();
        let idempotency_key = Some(one.key("reject F 3"));
        let device_id = rejected.clone();
        let input = RejectDevice { device_id, reason, idempotency_key, expected_version };
        self.commands.reject_device(&staff(), &input).await?;
        Ok(())
    }

    /// The devices that were added, in order.
    async fn add_devices(
        &self,
        one: &Character,
        batch: &str,
        sbi_id: Option<SbiId>,
        devices: Vec<NewDevice>,
    ) -> Result<Vec<DeviceId>> {
        let input = AddDevices {
            partner_id: one.partner_id(),
            sbi_id,
            devices,
            mode: BatchMode::Each,
            idempotency_key: Some(one.key(batch)),
        };
        let added = self.commands.add_devices(&one.request(), &input).await?;
        Ok(added.rows.into_iter().filter_map(Result::ok).collect())
    }

    async fn approve_device(&self, one: &Character, key: &str, device: &DeviceId) -> Result<()> {
        let input = ApproveDevice {
            device_id: device.clone(),
            idempotency_key: Some(one.key(key)),
            expected_version: None,
        };
        self.commands.approve_device(&staff(), &input).await?;
        Ok(())
    }

    /// An interface that ended, and the device that rested on no other.
    async fn end_old_sbi(&self, one: &Character) -> Result<()> {
        let old = self.add_sbi(one, "1.0").await?;
        self.approve_sbi(one, "1.0", old.clone()).await?;
        let devices = vec![device(one, "E 1")];
        self.add_devices(one, "old devices", Some(old.clone()), devices).await?;
        let input = DeactivateSbi {
            sbi_id: old,
            reason: "Replaced by 2.0".to_owned(),
            idempotency_key: Some(one.key("end 1.0")),
            expected_version: None,
        };
        self.commands.deactivate_sbi(&one.request(), &input).await?;
        Ok(())
    }

    async fn add_sbi(&self, one: &Character, version: &str) -> Result<SbiId> {
        let made = new_year();
        let input = AddSbi {
            provider_id: one.partner_id(),
            sw_version: version.to_owned(),
            sw_binary_hash: hex::encode(digest(self.seed, &format!("{} {version}", one.id))),
            sw_create_date_time: made,
            sw_expiry_date_time: made + LIFE,
            idempotency_key: Some(one.key(&format!("add {version}"))),
        };
        Ok(self.commands.add_sbi(&one.request(), &input).await?.id.as_str().into())
    }

    async fn approve_sbi(&self, one: &Character, version: &str, sbi_id: SbiId) -> Result<()> {
        let idempotency_key = Some(one.key(&format!("approve {version}")));
        let input = ApproveSbi { sbi_id, idempotency_key, expected_version: None };
        self.commands.approve_sbi(&staff(), &input).await?;
        Ok(())
    }

    async fn reject_sbi(&self, one: &Character, sbi_id: SbiId) -> Result<()> {
        let input = RejectSbi {
            sbi_id,
            reason: "It signs nothing".to_owned(),
            idempotency_key: Some(one.key("reject 3.0")),
            expected_version: None,
        };
        self.commands.reject_sbi(&staff(), &input).await?;
        Ok(())
    }

    /// Chips, as far as their maker came.
    pub(super) async fn make_chips(&self, one: &Character) -> Result<()> {
        if one.fate < Fate::Requested {
            return Ok(());
        }
        self.add_chip(one, "C 4").await?;
        let waiting = self.add_certified_chip(one, "C 3").await?;
        if one.fate == Fate::Rejected {
            self.reject_chip(one, waiting).await?;
        }
        if one.fate >= Fate::Approved {
            let chip = self.add_certified_chip(one, "C 2").await?;
            self.approve_chip(one, "approve C 2", chip).await?;
        }
        if one.fate >= Fate::Keyed {
            self.end_old_chip(one).await?;
        }
        Ok(())
    }

    async fn add_chip(&self, one: &Character, model: &str) -> Result<FtmChipId> {
        let input = AddFtmChip {
            ftp_provider_id: one.partner_id(),
            make: make(one),
            model: model.to_owned(),
            idempotency_key: Some(one.key(&format!("add {model}"))),
        };
        Ok(self.commands.add_ftm_chip(&one.request(), &input).await?.id.as_str().into())
    }

    async fn add_certified_chip(&self, one: &Character, model: &str) -> Result<FtmChipId> {
        let chip = self.add_chip(one, model).await?;
        let terms = one.partner_type.terms();
        let name = format!("{} {model}", one.id);
        let authority = self.authority(terms.trust_domain)?;
        let input = UploadFtmChipCertificate {
            ftm_chip_id: chip.clone(),
            certificate_data: authority.partner(&name, &one.organization, *terms)?,
            idempotency_key: Some(one.key(&format!("certify {model}"))),
            expected_version: None,
        };
        self.commands.upload_ftm_chip_certificate(&one.request(), &input).await?;
        Ok(chip)
    }

    async fn approve_chip(&self, one: &Character, key: &str, chip: FtmChipId) -> Result<()> {
        let input = ApproveFtmChip {
            ftm_chip_id: chip,
            idempotency_key: Some(one.key(key)),
            expected_version: None,
        };
        self.commands.approve_ftm_chip(&staff(), &input).await?;
        Ok(())
    }

    async fn reject_chip(&self, one: &Character, chip: FtmChipId) -> Result<()> {
        let input = RejectFtmChip {
            ftm_chip_id: chip,
            reason: "It has no evaluation report".to_owned(),
            idempotency_key: Some(one.key("reject C 3")),
            expected_version: None,
        };
        self.commands.reject_ftm_chip(&staff(), &input).await?;
        Ok(())
    }

    async fn end_old_chip(&self, one: &Character) -> Result<()> {
        let old = self.add_certified_chip(one, "C 1").await?;
        self.approve_chip(one, "approve C 1", old.clone()).await?;
        let input = DeactivateFtmChip {
            ftm_chip_id: old,
            reason: "Replaced by C 2".to_owned(),
            idempotency_key: Some(one.key("end C 1")),
            expected_version: None,
        };
        self.commands.deactivate_ftm_chip(&one.request(), &input).await?;
        Ok(())
    }
}

/// A device for fingers.
fn device(one: &Character, model: &str) -> NewDevice {
    NewDevice {
        device_type: "Finger".to_owned(),
        device_sub_type: "Slap".to_owned(),
        make: make(one),
        model: model.to_owned(),
    }
}

/// The first word of the maker's name.
fn make(one: &Character) -> String {
    one.organization.split(' ').next().unwrap_or_default().to_owned()
}
