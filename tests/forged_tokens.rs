//! Tokens of strangers, of forgers, and of issuers that have signed the wrong thing: refused, each for
//! its own reason.

use crate::support::oidc_provider::{
    FIRST_KEY, OidcProvider, believing, claims, header, times, verdict, with,
};
use api::auth::Refusal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use commands::now;
use serde_json::json;

/// Tokens that a provider has signed, and what is wrong with them.
async fn odd_tokens(provider: &OidcProvider) -> Vec<(&'static str, Refusal, String)> {
    use Refusal::{TokenAudience, TokenExpired, TokenInvalid};
    let good = || claims(&provider.issuer);
    let hour_ago = now().timestamp() - 3600;
    let wrong = [
        ("another issuer", TokenInvalid, json!({}), json!({"iss": "https://id.example"})),
        ("issuer as a list", TokenInvalid, json!({}), json!({"iss": [provider.issuer]})),
        (
            "issuer with a slash",
            TokenInvalid,
            json!({}),
            json!({"iss": format!("{}/", provider.issuer)}),
        ),
        ("no issuer", TokenInvalid, json!({}), json!({"iss": null})),
        ("another audience", TokenAudience, json!({}), json!({"aud": "account"})),
        ("other audiences", TokenAudience, json!({}), json!({"aud": ["account", "pms-2"]})),
        ("no audience", TokenInvalid, json!({}), json!({"aud": null})),
        ("over", TokenExpired, json!({}), json!({"exp": hour_ago})),
        ("no end", TokenInvalid, json!({}), json!({"exp": null})),
        ("an end in words", TokenInvalid, json!({}), json!({"exp": "never"})),
        ("not begun", TokenExpired, json!({}), json!({"nbf": hour_ago + 7200})),
        ("issued in the future", TokenExpired, json!({}), json!({"iat": hour_ago + 7200})),
        ("nobody named", TokenInvalid, json!({}), json!({"preferred_username": null})),
        ("an empty name", TokenInvalid, json!({}), json!({"preferred_username": ""})),
        ("the system's name", TokenInvalid, json!({}), json!({"preferred_username": "system"})),
        ("Keycloak's ID token", TokenInvalid, json!({}), json!({"typ": "ID"})),
        ("Keycloak's refresh token", TokenInvalid, json!({}), json!({"typ": "Refresh"})),
        ("an ID token with at_hash", TokenInvalid, json!({}), json!({"typ": null, "at_hash": "x"})),
        ("an ID token with nonce", TokenInvalid, json!({}), json!({"typ": null, "nonce": "x"})),
        ("bound to a key", TokenInvalid, json!({}), json!({"cnf": {"jkt": "x"}})),
        ("a logout token", TokenInvalid, json!({"typ": "logout+jwt"}), json!({})),
        ("crit", TokenInvalid, json!({"crit": ["exp"], "exp": 1}), json!({})),
        ("another algorithm", TokenInvalid, json!({"alg": "ES384"}), json!({})),
        ("an unknown key", TokenInvalid, json!({"kid": "ES256.unknown"}), json!({})),
        ("too long", TokenInvalid, json!({}), json!({"filler": "x".repeat(16 * 1024)})),
    ];
    let mut odd = vec![];
    for (what, refusal, of_header, of_claims) in wrong {
        let (header, claims) = (with(header(), of_header), with(good(), of_claims));
        odd.push((what, refusal, provider.sign(FIRST_KEY, header, &claims).await));
    }
    odd
}

#[tokio::test]
async fn a_token_with_one_thing_wrong_is_refused_although_its_issuer_has_signed_it() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let good = provider.sign(FIRST_KEY, header(), &claims(&provider.issuer)).await;
    assert_eq!(verdict(&issuers, &good).await.unwrap().subject, "mallory");
    for (what, refusal, token) in odd_tokens(&provider).await {
        assert_eq!(verdict(&issuers, &token).await, Err(refusal), "{what}");
    }
}

#[tokio::test]
async fn access_tokens_are_known_by_what_providers_write_into_them() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    for (of_header, of_claims) in [
        (json!({"typ": "at+jwt"}), json!({"typ": null, "nonce": "x"})),
        (json!({"typ": "application/AT+JWT"}), json!({"typ": null})),
        (json!({"typ": null}), json!({"typ": null})),
        (json!({}), json!({"nonce": "Keycloak before 25"})),
        (json!({"kid": null}), json!({"aud": "pms", "nbf": 1})),
    ] {
        let (header, claims) =
            (with(header(), of_header), with(claims(&provider.issuer), of_claims));
        let token = provider.sign(FIRST_KEY, header.clone(), &claims).await;
        assert!(verdict(&issuers, &token).await.is_ok(), "{header} {claims}");
    }
}

#[tokio::test]
async fn a_forger_does_not_choose_what_his_token_is_verified_with() {
    let (provider, forger) = (OidcProvider::start(), OidcProvider::start());
    let issuers = believing(&provider, &times());
    let claims = claims(&provider.issuer);
    let evil = forger.public_key().await;
    let at = format!("{}/jwks", forger.issuer);
    for more in [
        json!({}),
        json!({"jwk": evil}),
        json!({"jku": at}),
        json!({"x5u": at}),
        json!({"x5c": ["AAAA"]}),
        json!({"kid": "../../dev/null"}),
        json!({"kid": null}),
    ] {
        let token = forger.sign(FIRST_KEY, with(header(), more.clone()), &claims).await;
        assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid), "{more}");
    }
    assert_eq!(forger.fetches().await, 1, "only the test has asked for his keys");

    // The public key as a shared secret, in the forms in which it can be had.
    let public = provider.public_key().await;
    let hs256 = with(header(), json!({"alg": "HS256"}));
    for secret in [public.to_string(), public["x"].as_str().unwrap().to_owned()] {
        let token = provider.sign_with_secret(&secret, hs256.clone(), &claims).await;
        assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid));
    }
    let good = provider.sign(FIRST_KEY, header(), &claims).await;
    let parts: Vec<&str> = good.split('.').collect();
    let (payload, signature) = (parts[1], parts[2]);
    for alg in ["none", "NONE", "", "es256", "HS256"] {
        let header = BASE64URL.encode(json!({"alg": alg, "kid": FIRST_KEY}).to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.{signature}")] {
            assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid), "{alg}");
        }
    }
}

#[tokio::test]
async fn a_key_verifies_with_its_own_algorithm_only() {
    let provider = OidcProvider::start();
    provider.publish(&["RS256.key"]).await;
    let issuers = believing(&provider, &times());
    let mut verdicts = vec![];
    for algorithm in ["RS256", "PS256"] {
        let header = with(header(), json!({"alg": algorithm, "kid": "RS256.key"}));
        let token = provider.sign("RS256.key", header, &claims(&provider.issuer)).await;
        verdicts.push(verdict(&issuers, &token).await.map(drop));
    }
    assert_eq!(verdicts, [Ok(()), Err(Refusal::TokenInvalid)]);
}

#[tokio::test]
async fn what_is_no_token_is_refused_before_anybody_is_asked() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let token = provider.token().await;
    let whole: Vec<&str> = token.split('.').collect();
    let deep = BASE64URL.encode(format!("{}{}", "[".repeat(6000), "]".repeat(6000)));
    for garbage in [
        String::new(),
        "..".to_owned(),
        "\u{0}.\u{1F980}.x".to_owned(),
        "x".repeat(1 << 20),
        format!("{}.{}", whole[0], whole[1]),
        format!("{token}.x"),
        format!("{}.{deep}.{}", whole[0], whole[2]),
        format!("{deep}.{}.{}", whole[1], whole[2]),
        format!("{}..{}", whole[0], whole[2]),
    ] {
        assert_eq!(verdict(&issuers, &garbage).await, Err(Refusal::TokenInvalid));
    }
    assert_eq!(provider.fetches().await, 0);
}
