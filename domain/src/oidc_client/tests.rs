use super::*;
use crate::aggregate::given;
use crate::generated_docs::StateMachine;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn key(name: &str) -> PublicKey {
    let jwk = BTreeMap::from([("kty".to_owned(), "OKP".to_owned())]);
    PublicKey { kid: name.to_owned(), thumbprint: format!("print of {name}"), jwk }
}

fn new_client() -> NewClient {
    NewClient {
        partner_id: "acme".into(),
        policy_id: "kyc".into(),
        settings: Settings { name: "Portal".to_owned(), ..Settings::default() },
        key: key("one"),
        entitlement: Entitlement {
            claims: vec!["name".to_owned()],
            acr_values: vec!["mosip:idp:acr:generated-code".to_owned()],
        },
    }
}

fn created() -> Event {
    Event::Created(new_client())
}

fn rotated(name: &str, overlap_until: DateTime<Utc>) -> Event {
    Event::KeyRotated { key: key(name), overlap_until }
}

fn rotate(name: &str, now: DateTime<Utc>) -> Command {
    Command::RotateKey { key: key(name), overlap_until: now + DEFAULT_OVERLAP, now }
}

fn retire(key_id: &str, now: DateTime<Utc>) -> Command {
    Command::RetireKey { key_id: key_id.to_owned(), reason: reason(), now }
}

fn reason() -> Reason {
    Reason::new("reason", "leaked").unwrap()
}

fn suspended() -> Event {
    Event::Suspended { reason: reason() }
}

fn deactivated() -> Event {
    Event::Deactivated { reason: reason() }
}

pub(crate) fn machine() -> StateMachine<OidcClient> {
    let end = now() + DEFAULT_OVERLAP;
    let other = Settings { name: "Shop".to_owned(), ..Settings::default() };
    let rotated = || rotated("two", end);
    StateMachine {
        states: vec![
            ("", vec![]),
            ("with one key", vec![created()]),
            ("with two keys", vec![created(), rotated()]),
            ("", vec![created(), rotated(), suspended()]),
            ("", vec![created(), rotated(), deactivated()]),
        ],
        commands: vec![
            ("", Command::Create(new_client())),
            ("", Command::Update(other)),
            ("to the same", Command::Update(new_client().settings)),
            ("", rotate("three", now())),
            ("after the overlap", rotate("three", end)),
            ("to the newest key", rotate("two", now())),
            ("", retire("one", now())),
            ("after the overlap", retire("two", end)),
            ("", Command::Suspend(reason())),
            ("", Command::Resume(reason())),
            ("", Command::Deactivate(reason())),
            ("during the overlap", Command::Expire { now: now() }),
            ("after the overlap", Command::Expire { now: end }),
        ],
    }
}

/// Two keys, the older one until a week from now.
fn rotating() -> OidcClient {
    given([created(), rotated("two", now() + DEFAULT_OVERLAP)])
}

/// As the incumbent computes it: see `client_id`. Expected values come from Python's
/// `cryptography`: `b64url(sha256(b64(public_bytes(DER, SubjectPublicKeyInfo))))`, for Ed25519 of
/// the 32 bytes of `x`, since its Java could not encode such keys.
#[test]
fn the_id_is_the_one_that_esignet_knows() {
    let elliptic = r#"{"kty":"EC","crv":"P-256","x":"l5eUXFEqWlml35defr7t1dqWTeHT6bJODhCM15_Q9-w",
                       "y":"XTA2JtLkQ117Bn0epe9HrXINL-HRpzNNg1ZuVRHDQME","kid":"any","alg":"ES256"}"#;
    let edwards =
        r#"{"kty":"OKP","crv":"Ed25519","x":"XgpeW3gij3dtaC-sJfkrvGDC22zqNbwb7O9HoSNcg8c"}"#;
    let rsa = r#"{"kty":"RSA","e":"AQAB","n":"RSA_N"}"#.replace("RSA_N", RSA_N);
    for (jwk, id) in [
        (elliptic, "uEOGhspnVMThf02_3AfdM1rWatqU7-5avhXnmMQGpek"),
        (edwards, "WculKpjJAbxSNt-_3Mjm-I3gC8u-JDzwN1V2IXTIYVQ"),
        (&rsa, "do6CTLQmKDlLwfRi4FhWNcrKg85f84MIKnowogg1wno"),
    ] {
        assert_eq!(client_id(&Jwk::read(jwk, "publicKey").unwrap()).as_str(), id);
    }
}

const RSA_N: &str = "zVDT2435bNQVrAffgppsOqakWA_ItZZa6elHdjT9CYdyA2X55TBJA5v-yqfGnIdOvRYyRY8jt5wWOEN0Or1yKPWnTBJINt7q6PzarYcjRXm5s6XUV4WIUXTUxjFzb2RCU1BtJsB1ihu5h_w6Yaji8mTg9GXKiHq_fZFcdIDtoJz9HSFxfp377PqgI-pJcXAl046bESWvp6xdpUGR6gQ721EV5sdJ6ngXxvfln2RZW62DcoyVFPTccak9K-xf_2msPtw33PLci2Olee5B_UNbsrDQAfaOnAQ0KTB-4lDxWT6m0LBqlZmFvGot_xnG2qQF710f5v-lR1Djcu4z5zCPXQ";

#[test]
fn a_client_is_created_once_and_whose_it_is_is_not_told() {
    assert_eq!(OidcClient::Missing.decide(Command::Create(new_client())), Ok(vec![created()]));
    let again = given::<OidcClient>([created()]).decide(Command::Create(new_client()));
    assert_eq!(again, Err(Refusal::KeyInUse));
}

#[test]
fn setting_what_is_set_already_changes_nothing() {
    let client = given::<OidcClient>([created()]);
    assert_eq!(client.decide(Command::Update(new_client().settings)), Ok(vec![]));
    let other = Settings { name: "Shop".to_owned(), ..Settings::default() };
    assert_eq!(client.decide(Command::Update(other.clone())), Ok(vec![Event::Updated(other)]));
}

#[test]
fn a_rotation_leaves_the_older_key_live_until_its_end() {
    let client = rotating();
    let live = |at| -> Vec<&str> {
        client.client().unwrap().live_keys(at).map(|key| key.kid.as_str()).collect()
    };
    let end = now() + DEFAULT_OVERLAP;
    assert_eq!(live(end - TimeDelta::microseconds(1)), ["one", "two"]);
    assert_eq!(live(end), ["two"]);
}

#[test]
fn there_is_no_third_live_key() {
    let client = rotating();
    assert_eq!(client.decide(rotate("three", now())), Err(Refusal::TooManyKeys));
    let end = now() + DEFAULT_OVERLAP;
    let third = client.decide(rotate("three", end)).unwrap();
    assert_eq!(third, [rotated("three", end + DEFAULT_OVERLAP)]);
}

#[test]
fn rotating_to_the_newest_key_again_changes_nothing_and_to_an_older_one_is_refused() {
    let client = rotating();
    assert_eq!(client.decide(rotate("two", now())), Ok(vec![]));
    assert_eq!(client.decide(rotate("one", now())), Err(Refusal::KeyInUse));
    let same_kid = PublicKey { kid: "one".to_owned(), ..key("three") };
    let rotate = Command::RotateKey { key: same_kid, overlap_until: now(), now: now() };
    assert_eq!(client.decide(rotate), Err(Refusal::KidInUse));
}

#[test]
fn one_of_two_keys_can_be_retired_by_either_name_and_the_last_one_never() {
    let client = rotating();
    let retired = Event::KeyRetired { kid: "one".to_owned(), reason: reason() };
    for id in ["one", "print of one"] {
        assert_eq!(client.decide(retire(id, now())), Ok(vec![retired.clone()]));
    }
    let client = client.evolve(retired);
    assert_eq!(client.decide(retire("one", now())), Ok(vec![]));
    assert_eq!(client.decide(retire("two", now())), Err(Refusal::LastKey));
    assert_eq!(client.decide(retire("three", now())), Err(Refusal::KeyNotFound));
    let end = now() + DEFAULT_OVERLAP;
    assert_eq!(rotating().decide(retire("two", end)), Err(Refusal::LastKey));
}

#[test]
fn a_client_whose_new_key_was_retired_can_rotate_again_even_after_the_older_one_ended() {
    let retired = Event::KeyRetired { kid: "two".to_owned(), reason: reason() };
    let client = rotating().evolve(retired);
    for at in [now(), now() + DEFAULT_OVERLAP] {
        assert_eq!(client.decide(rotate("three", at)).map(|events| events.len()), Ok(1));
        assert_eq!(client.decide(rotate("two", at)), Err(Refusal::KeyInUse));
    }
}

#[test]
fn the_end_of_an_overlap_is_told_once_whether_suspended_or_not() {
    let end = now() + DEFAULT_OVERLAP;
    let expire = |at| Command::Expire { now: at };
    let expired = Event::KeyExpired { kid: "one".to_owned(), expired_at: end };
    for client in [rotating(), rotating().evolve(suspended())] {
        assert_eq!(client.decide(expire(end - TimeDelta::microseconds(1))), Ok(vec![]));
        assert_eq!(client.decide(expire(end)), Ok(vec![expired.clone()]));
        assert_eq!(client.evolve(expired.clone()).decide(expire(end)), Ok(vec![]));
    }
    assert_eq!(rotating().evolve(deactivated()).decide(expire(end)), Ok(vec![]));
    let retired = Event::KeyRetired { kid: "one".to_owned(), reason: reason() };
    assert_eq!(rotating().evolve(retired).decide(expire(end)), Ok(vec![]));
}

#[test]
fn whether_the_end_was_told_decides_nothing_else() {
    let end = now() + DEFAULT_OVERLAP;
    let expired = Event::KeyExpired { kid: "one".to_owned(), expired_at: end };
    let (silent, told) = (rotating(), rotating().evolve(expired));
    for at in [end - TimeDelta::seconds(1), end] {
        for command in [rotate("three", at), retire("one", at), retire("two", at)] {
            assert_eq!(silent.decide(command.clone()), told.decide(command));
        }
    }
}

#[test]
fn a_suspended_client_waits_and_a_deactivated_one_never_comes_back() {
    let suspended = given::<OidcClient>([created(), suspended()]);
    let ended = suspended.clone().evolve(deactivated());
    let commands =
        [Command::Update(Settings::default()), rotate("two", now()), retire("one", now())];
    for command in commands {
        assert_eq!(suspended.decide(command.clone()), Err(Refusal::OidcClientSuspended));
        assert_eq!(ended.decide(command), Err(Refusal::OidcClientDeactivated));
    }
    assert_eq!(
        suspended.decide(Command::Resume(reason())),
        Ok(vec![Event::Resumed { reason: reason() }])
    );
    assert_eq!(suspended.decide(Command::Deactivate(reason())), Ok(vec![deactivated()]));
    assert_eq!(ended.decide(Command::Resume(reason())), Err(Refusal::OidcClientDeactivated));
    assert_eq!(ended.decide(Command::Deactivate(reason())), Ok(vec![]));
}

#[test]
fn nothing_can_be_done_to_a_client_that_is_not_there() {
    for command in [
        Command::Update(Settings::default()),
        rotate("two", now()),
        Command::Suspend(reason()),
        Command::Deactivate(reason()),
    ] {
        assert_eq!(OidcClient::Missing.decide(command), Err(Refusal::OidcClientNotFound));
    }
}

#[test]
fn the_older_key_ends_within_thirty_days_and_a_passed_time_means_at_once() {
    let ask = |wished| {
        let mut checks = Checks::default();
        let until = overlap(&mut checks, wished, now());
        (until, checks.done().is_ok())
    };
    assert_eq!(ask(None), (now() + DEFAULT_OVERLAP, true));
    assert_eq!(ask(Some(now() - TimeDelta::days(1))), (now(), true));
    assert_eq!(ask(Some(now() + MAX_OVERLAP)), (now() + MAX_OVERLAP, true));
    assert!(!ask(Some(now() + MAX_OVERLAP + TimeDelta::seconds(1))).1);
}

#[test]
fn what_can_be_done_depends_on_the_hour() {
    let refusals = |at| -> Vec<Option<&str>> {
        rotating().actions(at).iter().map(|possible| possible.refusal).collect()
    };
    assert_eq!(refusals(now()), [None, Some("TOO_MANY_KEYS"), None, None]);
    let end = now() + DEFAULT_OVERLAP;
    assert_eq!(refusals(end), [None, None, Some("LAST_KEY"), None]);
}
