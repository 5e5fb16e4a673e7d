//! Those who make devices and chips, and what they do.

use super::{Person, admin};
use crate::support::certificates::Authority;
use ::commands::device::{
    AddDevices, ApproveDevice, BatchMode, LinkDeviceToSbi, NewDevice, UnlinkDeviceFromSbi,
};
use ::commands::ftm_chip::{AddFtmChip, ApproveFtmChip, UploadFtmChipCertificate};
use ::commands::sbi::{AddSbi, ApproveSbi};
use ::commands::{Commands, Done, Result};
use chrono::TimeDelta;
use domain::actor::Role;
use domain::certificate::Certificate;
use domain::reference::{PartnerType, TrustDomain};

/// Speaks for a maker of devices, whose id is `<name>-co`.
pub fn device_provider(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::DeviceProvider)
}

/// Speaks for a maker of chips, whose id is `<name>-co`.
pub fn ftm_provider(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::FtmProvider)
}

impl Person {
    /// Offers a version of the software that drives the partner's devices, good for a year.
    pub async fn adds_sbi(&self, version: &str) -> Result<Done> {
        let now = ::commands::now();
        let input = AddSbi {
            provider_id: self.partner.as_str().into(),
            sw_version: version.to_owned(),
            sw_binary_hash: "ab".repeat(32),
            sw_create_date_time: now - TimeDelta::days(1),
            sw_expiry_date_time: now + TimeDelta::days(365),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.add_sbi(&self.request(), &input).await
    }

    /// Allows devices to rest on a secure biometric interface.
    pub async fn approves_sbi(&self, sbi: &str) -> Result<Done> {
        let input = ApproveSbi {
            sbi_id: sbi.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.approve_sbi(&self.request(), &input).await
    }

    /// Offers one device.
    pub async fn adds_device(&self, sbi: Option<&str>, model: &str) -> Result<Done> {
        let device = NewDevice {
            device_type: "Finger".to_owned(),
            device_sub_type: "Slap".to_owned(),
            make: "Acme".to_owned(),
            model: model.to_owned(),
        };
        let input = AddDevices {
            partner_id: self.partner.as_str().into(),
            sbi_id: sbi.map(Into::into),
            devices: vec![device],
            mode: BatchMode::AllOrNothing,
            idempotency_key: self.idempotency_key.clone(),
        };
        let mut added = self.node.add_devices(&self.request(), &input).await?;
        let (id, position) = (added.rows.remove(0)?.as_str().to_owned(), added.position);
        let (version, secret, changes) = (1, None, Vec::new());
        Ok(Done { id, version, position, secret, replayed: false, proposed: false, changes })
    }

    /// Lets a device rest on one more secure biometric interface.
    pub async fn links(&self, device: &str, sbi: &str) -> Result<Done> {
        let input = LinkDeviceToSbi {
            device_id: device.into(),
            sbi_id: sbi.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.link_device_to_sbi(&self.request(), &input).await
    }

    /// Lets a device rest on a secure biometric interface no more.
    pub async fn unlinks(&self, device: &str, sbi: &str) -> Result<Done> {
        let input = UnlinkDeviceFromSbi {
            device_id: device.into(),
            sbi_id: sbi.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.unlink_device_from_sbi(&self.request(), &input).await
    }

    /// Allows a device.
    pub async fn approves_device(&self, device: &str) -> Result<Done> {
        let input = ApproveDevice {
            device_id: device.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.approve_device(&self.request(), &input).await
    }

    /// Offers a chip.
    pub async fn adds_chip(&self, model: &str) -> Result<Done> {
        let input = AddFtmChip {
            ftp_provider_id: self.partner.as_str().into(),
            make: "Acme".to_owned(),
            model: model.to_owned(),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.add_ftm_chip(&self.request(), &input).await
    }

    /// Uploads a certificate of a chip.
    pub async fn certifies(&self, chip: &str, certificate: &Certificate) -> Result<Done> {
        let input = UploadFtmChipCertificate {
            ftm_chip_id: chip.into(),
            certificate_data: certificate.pem(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.upload_ftm_chip_certificate(&self.request(), &input).await
    }

    /// Allows a chip.
    pub async fn approves_chip(&self, chip: &str) -> Result<Done> {
        let input = ApproveFtmChip {
            ftm_chip_id: chip.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.approve_ftm_chip(&self.request(), &input).await
    }

    /// Offers a chip with a certificate that waits for approval.
    pub async fn certified_chip(&self, model: &str, authority: &Authority) -> String {
        let chip = self.adds_chip(model).await.unwrap().id;
        self.certifies(&chip, &authority.leaf(&self.organization())).await.unwrap();
        chip
    }
}

/// Makers at work: an authority for each of their domains, and one active partner of each type.
pub struct Makers {
    /// Runs partner management.
    pub admin: Person,
    /// Speaks for an active maker of devices.
    pub dora: Person,
    /// Speaks for an active maker of chips.
    pub fred: Person,
    /// Issues certificates of makers of devices.
    pub device_authority: Authority,
    /// Issues certificates of makers of chips, and of their chips.
    pub chip_authority: Authority,
}

impl Makers {
    /// Opens on a node.
    pub async fn open(node: &Commands) -> Self {
        let admin = admin(node);
        let device_authority = Authority::root("DEVICE Root");
        let chip_authority = Authority::root("FTM Root");
        admin.trusts_for(TrustDomain::Device, &device_authority).await.unwrap();
        admin.trusts_for(TrustDomain::Ftm, &chip_authority).await.unwrap();
        let (dora, fred) = (device_provider(node, "dora"), ftm_provider(node, "fred"));
        let makers = Self { admin, dora, fred, device_authority, chip_authority };
        makers.welcome_devices(&makers.dora).await;
        makers.welcome_chips(&makers.fred).await;
        makers
    }

    /// Registers somebody's partner as a maker of devices and makes it active.
    pub async fn welcome_devices(&self, person: &Person) {
        self.welcome(person, PartnerType::DeviceProvider, &self.device_authority).await;
    }

    /// Registers somebody's partner as a maker of chips and makes it active.
    pub async fn welcome_chips(&self, person: &Person) {
        self.welcome(person, PartnerType::FtmProvider, &self.chip_authority).await;
    }

    async fn welcome(&self, person: &Person, partner_type: PartnerType, authority: &Authority) {
        let input = person.registration(partner_type, None);
        person.node.register_partner(&person.request(), &input).await.unwrap();
        person.uploads(&authority.leaf(&person.organization())).await.unwrap();
    }

    /// An approved secure biometric interface of Dora.
    pub async fn live_sbi(&self, version: &str) -> String {
        let sbi = self.dora.adds_sbi(version).await.unwrap().id;
        self.admin.approves_sbi(&sbi).await.unwrap();
        sbi
    }

    /// An approved device of Dora.
    pub async fn approved_device(&self, sbi: &str, model: &str) -> String {
        let device = self.dora.adds_device(Some(sbi), model).await.unwrap().id;
        self.admin.approves_device(&device).await.unwrap();
        device
    }

    /// Everything that can happen to interfaces, devices and chips happens, but that time passes.
    pub async fn busy_day(&self) {
        self.devices_take_every_way().await;
        self.chips_take_every_way().await;
        let node = self.admin.node();
        self.makers_end(&device_provider(node, "hana"), &ftm_provider(node, "ivan")).await;
    }

    async fn devices_take_every_way(&self) {
        let (admin, dora) = (&self.admin, &self.dora);
        let [old, new] = [self.live_sbi("1.0").await, self.live_sbi("2.0").await];
        let rejected = dora.adds_sbi("2.1-beta").await.unwrap().id;
        admin.rejects_sbi(&rejected).await.unwrap();
        let moved = self.approved_device(&old, "F 1").await;
        dora.links(&moved, &new).await.unwrap();
        dora.unlinks(&moved, &old).await.unwrap();
        let refused = dora.adds_device(None, "F 2").await.unwrap().id;
        admin.rejects_device(&refused).await.unwrap();
        self.approved_device(&old, "F 3").await;
        dora.adds_device(Some(&old), "F 4").await.unwrap();
        dora.ends_sbi(&old).await.unwrap();
        let ended = self.approved_device(&new, "F 5").await;
        dora.ends_device(&ended).await.unwrap();
    }

    async fn chips_take_every_way(&self) {
        let (admin, fred) = (&self.admin, &self.fred);
        let rejected = fred.adds_chip("C 1").await.unwrap().id;
        admin.rejects_chip(&rejected).await.unwrap();
        let ended = fred.certified_chip("C 2", &self.chip_authority).await;
        admin.approves_chip(&ended).await.unwrap();
        let renewed = self.chip_authority.leaf(&fred.organization());
        fred.certifies(&ended, &renewed).await.unwrap();
        admin.approves_chip(&ended).await.unwrap();
        fred.ends_chip(&ended).await.unwrap();
        fred.certified_chip("C 3", &self.chip_authority).await;
    }

    async fn makers_end(&self, hana: &Person, ivan: &Person) {
        self.welcome_devices(hana).await;
        let sbi = hana.adds_sbi("1.0").await.unwrap().id;
        self.admin.approves_sbi(&sbi).await.unwrap();
        hana.adds_sbi("2.0").await.unwrap();
        hana.adds_device(Some(&sbi), "F 1").await.unwrap();
        self.welcome_chips(ivan).await;
        ivan.certified_chip("C 1", &self.chip_authority).await;
        for partner in [&hana.partner, &ivan.partner] {
            self.admin.deactivates(partner).await.unwrap();
        }
    }
}
