//! A biometric device: a make and model that a provider wants to see in use.
//!
//! Pending → approved or rejected; approved → deactivated. Rejected and deactivated are final. A
//! device rests on secure biometric interfaces (SBIs) of its provider, usually on one. One that
//! rests on no live SBI is an orphan: it cannot be approved, but it can be rejected.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{PartnerId, SbiId};
use crate::reference::device_sub_type;
use crate::sbi::{self, Sbi};
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::{IntoStaticStr, VariantNames};

/// The longest make and the longest model, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_MAKE: usize = 36;

/// A wish about one device.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "`support` is what the SBIs in question are good for")]
pub enum Command {
    /// Offer it, resting on an SBI or on none yet. That the provider is active and makes devices,
    /// and that the SBI is its own and live, has been read before.
    Add { provider_id: PartnerId, model: Model, sbi_id: Option<SbiId> },
    /// Let it rest on one more SBI of its provider.
    Link { sbi_id: SbiId, support: Support },
    /// Let it rest on an SBI no more.
    Unlink { sbi_id: SbiId },
    /// Allow it.
    Approve { support: Support },
    /// Refuse it.
    Reject(Reason),
    /// End it for good.
    Deactivate(Reason),
    /// End it with its provider or its last SBI, however far it came.
    End(Reason),
}

/// What kind of device it is, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// As in the reference list.
    pub device_type: String,
    /// As in the reference list, under its type.
    pub device_sub_type: String,
    /// Who made it, in the provider's words.
    pub make: String,
    /// Which one it is, in the provider's words.
    pub model: String,
}

impl Model {
    /// The model as it is stored, or everything that is wrong with it. `at` is the path of the
    /// input, such as `devices[3].`.
    pub fn new(typed: &Self, at: &str) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        let known = device_sub_type(&typed.device_type, &typed.device_sub_type).is_some();
        checks.add_if(!known, || {
            let message = "There is no such type and sub type of device.";
            Finding::new("DEVICE_TYPE_UNKNOWN", format!("{at}deviceSubType"), message)
        });
        checks.line(&format!("{at}make"), &typed.make, MAX_MAKE);
        checks.line(&format!("{at}model"), &typed.model, MAX_MAKE);
        checks.done()?;
        let (make, model) = (squeezed(&typed.make), squeezed(&typed.model));
        Ok(Self { make, model, ..typed.clone() })
    }
}

/// What several SBIs together are good for: the best that one of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// No SBI is approved.
    NotApproved,
    /// Some are approved, but they have expired.
    Expired,
    /// One is approved and has not expired.
    Live,
}

impl Support {
    /// What these SBIs are good for at `now`.
    pub fn of<'a>(sbis: impl IntoIterator<Item = &'a Sbi>, now: DateTime<Utc>) -> Self {
        let one = |sbi: &Sbi| match sbi.live(now) {
            Ok(_) => Self::Live,
            Err(sbi::Refusal::SbiExpired) => Self::Expired,
            Err(_) => Self::NotApproved,
        };
        sbis.into_iter().map(one).max().unwrap_or(Self::NotApproved)
    }

    fn live(self) -> Result<(), Refusal> {
        match self {
            Self::Live => Ok(()),
            Self::Expired => Err(Refusal::SbiExpired),
            Self::NotApproved => Err(Refusal::SbiNotApproved),
        }
    }
}

/// What happened to a device. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Added {
        provider_id: PartnerId,
        #[serde(flatten)]
        model: Model,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sbi_id: Option<SbiId>,
    },
    LinkedToSbi {
        sbi_id: SbiId,
    },
    UnlinkedFromSbi {
        sbi_id: SbiId,
    },
    Approved {},
    Rejected {
        reason: Reason,
    },
    Deactivated {
        reason: Reason,
    },
}

/// Why a wish about a device was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This device is not known.")]
    DeviceNotFound,
    #[error("The provider has this device already.")]
    DeviceExists,
    #[error("The device was not decided about yet.")]
    DevicePending,
    #[error("The device was approved: deactivate it instead.")]
    DeviceApproved,
    #[error("The device was rejected, which is final.")]
    DeviceRejected,
    #[error("The device was deactivated, which is final.")]
    DeviceDeactivated,
    #[error("The device rests on no secure biometric interface: link it to one, or reject it.")]
    DeviceWithoutSbi,
    #[error("The secure biometric interface is not approved.")]
    SbiNotApproved,
    #[error("The secure biometric interface has expired.")]
    SbiExpired,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::SbiNotApproved | Self::SbiExpired => "sbiId",
            _ => "deviceId",
        }
    }
}

/// Where a device stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Device {
    /// Not offered.
    #[default]
    Missing,
    /// Waits for an administrator.
    Pending(Known),
    /// May be used.
    Approved(Known),
    /// Refused.
    Rejected(Known),
    /// Ended.
    Deactivated(Known),
}

/// What later decisions need to know of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Who makes it.
    pub provider_id: PartnerId,
    /// What it is.
    pub model: Model,
    /// The SBIs that it rests on.
    pub sbi_ids: BTreeSet<SbiId>,
}

impl Device {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Add, Approve, Deactivate, End, Link, Reject, Unlink};
        match (self, command) {
            (Self::Missing, Add { provider_id, model, sbi_id }) => {
                Ok(vec![Event::Added { provider_id, model, sbi_id }])
            }
            (_, Add { .. }) => Err(Refusal::DeviceExists),
            (
                Self::Missing,
                Link { .. } | Unlink { .. } | Approve { .. } | Reject(_) | Deactivate(_) | End(_),
            ) => Err(Refusal::DeviceNotFound),

            (Self::Pending(known) | Self::Approved(known), Link { sbi_id, support }) => {
                known.link(sbi_id, support)
            }
            (Self::Pending(known) | Self::Approved(known), Unlink { sbi_id }) => {
                Ok(known.unlink(sbi_id))
            }

            (Self::Pending(known), Approve { .. }) if known.sbi_ids.is_empty() => {
                Err(Refusal::DeviceWithoutSbi)
            }
            (Self::Pending(_), Approve { support }) => {
                support.live().map(|()| vec![Event::Approved {}])
            }
            (Self::Pending(_), Reject(reason) | End(reason)) => {
                Ok(vec![Event::Rejected { reason }])
            }
            (Self::Pending(_), Deactivate(_)) => Err(Refusal::DevicePending),

            (Self::Approved(_), Deactivate(reason) | End(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Approved(_), Reject(_)) => Err(Refusal::DeviceApproved),

            // A repeated wish, or one to end what has ended, changes nothing.
            (Self::Approved(_), Approve { .. })
            | (Self::Rejected(_), Reject(_) | End(_))
            | (Self::Deactivated(_), Deactivate(_) | End(_)) => Ok(vec![]),

            (Self::Rejected(_), Link { .. } | Unlink { .. } | Approve { .. } | Deactivate(_)) => {
                Err(Refusal::DeviceRejected)
            }
            (Self::Deactivated(_), Link { .. } | Unlink { .. } | Approve { .. } | Reject(_)) => {
                Err(Refusal::DeviceDeactivated)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Added { provider_id, model, sbi_id }) => {
                let sbi_ids = sbi_id.into_iter().collect();
                Self::Pending(Known { provider_id, model, sbi_ids })
            }
            (mut device, Event::LinkedToSbi { sbi_id }) => {
                device.known_mut().map(|known| known.sbi_ids.insert(sbi_id));
                device
            }
            (mut device, Event::UnlinkedFromSbi { sbi_id }) => {
                device.known_mut().map(|known| known.sbi_ids.remove(&sbi_id));
                device
            }
            (device, Event::Approved {}) => device.into(Self::Approved),
            (device, Event::Rejected { .. }) => device.into(Self::Rejected),
            (device, Event::Deactivated { .. }) => device.into(Self::Deactivated),
        }
    }

    /// What is known of the device, whatever its state; nothing when it is missing.
    pub fn known(&self) -> Option<&Known> {
        match self {
            Self::Missing => None,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => Some(known),
        }
    }

    /// Whether nothing can happen to the device any more.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Deactivated(_))
    }

    fn known_mut(&mut self) -> Option<&mut Known> {
        match self {
            Self::Missing => None,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => Some(known),
        }
    }

    fn into(self, state: impl FnOnce(Known) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => state(known),
        }
    }
}

impl Known {
    fn link(&self, sbi_id: SbiId, support: Support) -> Result<Vec<Event>, Refusal> {
        if self.sbi_ids.contains(&sbi_id) {
            return Ok(vec![]);
        }
        support.live().map(|()| vec![Event::LinkedToSbi { sbi_id }])
    }

    fn unlink(&self, sbi_id: SbiId) -> Vec<Event> {
        if self.sbi_ids.contains(&sbi_id) {
            return vec![Event::UnlinkedFromSbi { sbi_id }];
        }
        vec![]
    }
}

aggregate!(Device, "device");

impl Actions for Device {
    /// As far as the device alone can tell.
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        self.actions_on(Support::Live)
    }
}

impl Device {
    /// What can be done with the device while its SBIs are good for this.
    pub fn actions_on(&self, support: Support) -> Vec<Possible> {
        let another = || SbiId::from("another");
        let linked = self.known().and_then(|known| known.sbi_ids.first().cloned());
        let link = Command::Link { sbi_id: another(), support: Support::Live };
        let unlink = Command::Unlink { sbi_id: linked.unwrap_or_else(another) };
        vec![
            self.possible(Operation::LinkDeviceToSbi, link),
            self.possible(Operation::UnlinkDeviceFromSbi, unlink),
            self.possible(Operation::ApproveDevice, Command::Approve { support }),
            self.possible(Operation::RejectDevice, Command::Reject(Reason::any())),
            self.possible(Operation::DeactivateDevice, Command::Deactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;
    use crate::sbi::Software;

    const LIVE: Support = Support::Live;

    fn typed() -> Model {
        Model {
            device_type: "Finger".into(),
            device_sub_type: "Slap".into(),
            make: "Acme".into(),
            model: "F 1".into(),
        }
    }

    fn added(sbi_id: Option<&str>) -> Event {
        let sbi_id = sbi_id.map(Into::into);
        Event::Added { provider_id: "acme".into(), model: typed(), sbi_id }
    }

    fn reason() -> Reason {
        Reason::new("reason", "not secure").unwrap()
    }

    fn rejected() -> Event {
        Event::Rejected { reason: reason() }
    }

    fn deactivated() -> Event {
        Event::Deactivated { reason: reason() }
    }

    fn linked(sbi_id: &str) -> Event {
        Event::LinkedToSbi { sbi_id: sbi_id.into() }
    }

    fn link(sbi_id: &str, support: Support) -> Command {
        Command::Link { sbi_id: sbi_id.into(), support }
    }

    fn unlink(sbi_id: &str) -> Command {
        Command::Unlink { sbi_id: sbi_id.into() }
    }

    pub(crate) fn machine() -> StateMachine<Device> {
        let one = || added(Some("one"));
        let approve = |support| Command::Approve { support };
        let add = Command::Add { provider_id: "acme".into(), model: typed(), sbi_id: None };
        StateMachine {
            states: vec![
                ("", vec![]),
                ("without an SBI", vec![added(None)]),
                ("", vec![one()]),
                ("", vec![one(), Event::Approved {}]),
                ("", vec![one(), rejected()]),
                ("", vec![one(), Event::Approved {}, deactivated()]),
            ],
            commands: vec![
                ("", add),
                ("to another live SBI", link("two", LIVE)),
                ("to another SBI, expired", link("two", Support::Expired)),
                ("to its SBI again", link("one", LIVE)),
                ("", unlink("one")),
                ("on a live SBI", approve(LIVE)),
                ("on expired SBIs", approve(Support::Expired)),
                ("on SBIs that are not approved", approve(Support::NotApproved)),
                ("", Command::Reject(reason())),
                ("", Command::Deactivate(reason())),
                ("with its provider or last SBI", Command::End(reason())),
            ],
        }
    }

    #[test]
    fn a_device_on_a_live_sbi_can_be_approved_once() {
        let pending = given::<Device>([added(Some("one"))]);
        let approve = Command::Approve { support: LIVE };
        assert_eq!(pending.decide(approve.clone()), Ok(vec![Event::Approved {}]));
        let approved = given::<Device>([added(Some("one")), Event::Approved {}]);
        assert_eq!(approved.decide(approve), Ok(vec![]));
        let again = Command::Approve { support: Support::Expired };
        assert_eq!(approved.decide(again), Ok(vec![]), "whatever became of its SBI");
        assert_eq!(approved.decide(Command::Reject(reason())), Err(Refusal::DeviceApproved));
    }

    #[test]
    fn an_orphan_can_be_rejected_but_not_approved() {
        let approve = |support| Command::Approve { support };
        let bare = given::<Device>([added(None)]);
        assert_eq!(bare.decide(approve(LIVE)), Err(Refusal::DeviceWithoutSbi));
        let pending = given::<Device>([added(Some("one"))]);
        assert_eq!(pending.decide(approve(Support::Expired)), Err(Refusal::SbiExpired));
        assert_eq!(pending.decide(approve(Support::NotApproved)), Err(Refusal::SbiNotApproved));
        for orphan in [bare, pending] {
            assert_eq!(orphan.decide(Command::Reject(reason())), Ok(vec![rejected()]));
        }
    }

    #[test]
    fn what_was_rejected_or_deactivated_never_comes_back() {
        let ended = [
            (vec![added(Some("one")), rejected()], Refusal::DeviceRejected),
            (
                vec![added(Some("one")), Event::Approved {}, deactivated()],
                Refusal::DeviceDeactivated,
            ),
        ];
        for (events, refusal) in ended {
            let ended = given::<Device>(events);
            for command in [Command::Approve { support: LIVE }, link("two", LIVE), unlink("one")] {
                assert_eq!(ended.decide(command), Err(refusal.clone()));
            }
            assert_eq!(ended.decide(Command::End(reason())), Ok(vec![]));
        }
    }

    #[test]
    fn the_end_of_what_it_rests_on_rejects_what_is_pending_and_deactivates_what_is_approved() {
        let end = || Command::End(reason());
        let pending = given::<Device>([added(Some("one"))]);
        assert_eq!(pending.decide(end()), Ok(vec![rejected()]));
        assert_eq!(pending.decide(Command::Deactivate(reason())), Err(Refusal::DevicePending));
        let approved = given::<Device>([added(Some("one")), Event::Approved {}]);
        assert_eq!(approved.decide(end()), Ok(vec![deactivated()]));
    }

    #[test]
    fn a_device_is_linked_to_live_sbis_only_and_to_each_once() {
        let device = given::<Device>([added(None)]);
        assert_eq!(device.decide(link("one", LIVE)), Ok(vec![linked("one")]));
        assert_eq!(device.decide(link("one", Support::Expired)), Err(Refusal::SbiExpired));
        let device = given::<Device>([added(None), linked("one")]);
        assert_eq!(device.decide(link("one", Support::Expired)), Ok(vec![]));
        assert_eq!(device.decide(Command::Approve { support: LIVE }).unwrap().len(), 1);
    }

    #[test]
    fn a_device_that_was_unlinked_from_its_last_sbi_is_an_orphan() {
        let unlinked = Event::UnlinkedFromSbi { sbi_id: "one".into() };
        let device = given::<Device>([added(Some("one"))]);
        assert_eq!(device.decide(unlink("two")), Ok(vec![]));
        assert_eq!(device.decide(unlink("one")), Ok(vec![unlinked.clone()]));
        let orphan = given::<Device>([added(Some("one")), unlinked]);
        let approve = Command::Approve { support: LIVE };
        assert_eq!(orphan.decide(approve), Err(Refusal::DeviceWithoutSbi));
    }

    #[test]
    fn nothing_can_be_done_to_a_device_that_is_not_there() {
        let commands = [
            link("one", LIVE),
            unlink("one"),
            Command::Approve { support: LIVE },
            Command::Reject(reason()),
            Command::End(reason()),
        ];
        for command in commands {
            assert_eq!(Device::Missing.decide(command), Err(Refusal::DeviceNotFound));
        }
    }

    #[test]
    fn several_sbis_are_as_good_as_the_best_of_them() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let sbi = |seconds, events: &[sbi::Event]| {
            let software = Software {
                provider_id: "acme".into(),
                sw_version: "1".into(),
                sw_binary_hash: String::new(),
                sw_create_date_time: now,
                sw_expiry_date_time: now + chrono::TimeDelta::seconds(seconds),
            };
            given::<Sbi>(std::iter::once(sbi::Event::Added(software)).chain(events.to_vec()))
        };
        let approved = [sbi::Event::Approved {}];
        let [live, expired, pending] = [sbi(1, &approved), sbi(0, &approved), sbi(1, &[])];
        assert_eq!(Support::of([&expired, &live, &pending], now), Support::Live);
        assert_eq!(Support::of([&pending, &expired], now), Support::Expired);
        assert_eq!(Support::of([&pending], now), Support::NotApproved);
        assert_eq!(Support::of([], now), Support::NotApproved);
    }

    #[test]
    fn everything_that_is_wrong_with_a_row_is_told_at_once() {
        let model = Model::new(&Model { make: " Acme  Inc ".into(), ..typed() }, "").unwrap();
        assert_eq!(model.make, "Acme Inc");
        let wrong = Model {
            device_type: "Face".into(),
            device_sub_type: "Slap".into(),
            make: String::new(),
            model: "x".repeat(37),
        };
        let found = Model::new(&wrong, "devices[3].").unwrap_err();
        let told: Vec<String> =
            found.iter().map(|it| format!("{}: {}", it.field, it.code)).collect();
        let expected = [
            "devices[3].deviceSubType: DEVICE_TYPE_UNKNOWN",
            "devices[3].make: EMPTY",
            "devices[3].model: TOO_LONG",
        ];
        assert_eq!(told, expected);
    }
}
