//! What signs, with which algorithm, and what an assertion says. The keys were made for these tests and open nothing.

use std::collections::HashSet;

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::*;

const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLtMobU6qCwXMZWzh
ZXC8zTDXhHpq5eq8+3sWAt4vQxmhRANCAARdtV9kNMSLRH2Ik9yYvuxbkQb6kS2D
OTMexWymAavHDBWgsI3tg3XzKnkeFp0M4wq54lsNlMzm6S0csMvXzXsF
-----END PRIVATE KEY-----";
const P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXbVfZDTEi0R9iJPcmL7sW5EG+pEt
gzkzHsVspgGrxwwVoLCN7YN18yp5HhadDOMKueJbDZTM5uktHLDL1817BQ==
-----END PUBLIC KEY-----";
const P384: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDqMa67sPexe8eYHv2t
m5W6OUfLzdpG4o+UaEfHD7NzBfvV+dxRAYSEzMXz9X9ORNihZANiAARDsdJAw47Z
0wYib+yNc0uZaPaYlWriZuHbMNmX8TMDZBhNseF9P74qmbbVFsfORBjOzeg4s0Cc
g2guV3JtZ8U7F3lnxNQlfodbeseLXVn8paeIzHjdldW1AklAB49687w=
-----END PRIVATE KEY-----";
const P384_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEQ7HSQMOO2dMGIm/sjXNLmWj2mJVq4mbh
2zDZl/EzA2QYTbHhfT++Kpm21RbHzkQYzs3oOLNAnINoLldybWfFOxd5Z8TUJX6H
W3rHi11Z/KWniMx43ZXVtQJJQAePevO8
-----END PUBLIC KEY-----";
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIMykUepxZ7shaTGCmhwa9J00pH5fdytP/uoSqoZAaAbR
-----END PRIVATE KEY-----";
const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAChvNqV0m8qY5zXC/wg65QCdecoFae1crooGxbO0hYU8=
-----END PUBLIC KEY-----";
const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDDGRQLgvk/jp0u
KM/ByqnGoZXMPNI8KYafcHSMJwbJ9vRueWvrDm6ygkTnMD8/KKXTbjfrX1vy4ubf
ni8Xp5AF4XU26X7i1xeW1zr9/uq6vR7VSzFfawm17OW3sPrSdnVFschyIsj6Et2c
M+PPYynLrXChdg6sUbIvMvAyJsI/lC3Y8nWXogTLoSNpTjkJU2Fqdf7ZC3rLsE79
5cQKcWy0JzSAMeXn0iSNUAvJWDqcV9vSGxuAhIYyJWj1B/16d2ax/8CdAkOc4Po/
PBQPwIHkYUgAdnmsqMtlqC78pUmfnbO3P7R/HJsS9WCDV/bnglEWnn5VYkJtNmSY
aU+8+Pq9AgMBAAECggEAPJbQO9b8Ezn2JHy2MMgAu9g4zknhPJ/k2CUzfMct+5D/
TkPVORWtWTDNt0KrkbDM9wGWyjk+NAs1iiL1GxKFzt266kfPiSEliUnkXzdIrJ/J
MJJ+jdSPGnmsycRj0PLK7s8Moi2dXtR3EGipCiIQu9lsTih83BUvEitunxScZOPT
tty0ndaXfpaRZFiaItsrMtkFamswBIXl2vH7wQ4kURmZUpYveErfz0LWjb06nv5s
M55MRnykT/8h2DQV3Xd+yVzoc/WnjWHfGDHnuwQyAqG0FStdIqfqK+R2x40CenZ6
uwJnwb5LGm52NB9zBFGBgfu41CyXHM/p7C80/z+oPQKBgQDxIUgU7lwbEbD5BlXH
5daxeKsWAxsjybkoDYn3rTDB96fyxmlVatLxE4wZPb3VNnp8FzzdjvKlZmsZEoYu
o0PeMvPLyxuWgcwJN88iFuCPhOR88D9Kj0jvyWWtUp6vC8Ur5HyepEkJyOtkXctv
0WU9fgRhttQEhqVw9/lEF+j6DwKBgQDPIRbLPYb//LONbUWdTomnjgVrRs5i6PyR
ht5zIq2c5cEFk00MOX+/Nytafsa6n6XDn7fxfBRtfDqvYqPX2iPYYYR0s7zZEL/7
1Sn0qjNJytGyw6XNv4q9CSO4PWrc2FVj0aQSKuW4Mkjd8IZDF7eMk+Uaq8uEqM7T
gFMNCQL6cwKBgQDVjq9jclP62WlOtDCm8UV7Oq7zuN6BjLhC4/LMfAQR1kBVwSor
L4gRYUmUVV1ah3xliMMsSt1WZeX2d7SFe62xDpljZchSPTSy+U2nGHHcSkt+59x2
MX7ceBdoMSM/TwJaxGsmqcPSObNY2cVCjEbI9mH1FNKkC4hdDBIlH7QEOwKBgAt6
mfjJgCHPr2O3GpSNNbPDeylm0ylIIDcwckOPOG/pi7jzYOG8jgfa1tw9CmZtUpJ0
14zag4dNyzLNFKdxv2rOfLi6/UxKUVlzhs+4Xv9H7jcqAJZWdynix8f+H1393z2Y
8K7REcoTf1ZNbiNpvRJdX+UKgEzpzgyKoA+o4DFhAoGAUQKm4NUiPfLuJ5wbR9Kg
W7bqGGhAsIJPCZSENKdgswos2kk/ZO+1EdB63iZpCN4pdOvbCRh8OoLrOsrXtmIw
v+DL9LSimhObdoocKbGGTyUR0T7g7DhAfN2L1IQv6XLD0XAIC6yf0q2yJ4e2fYl8
UQ7AIMXpgdtfc2jTiI/RpLY=
-----END PRIVATE KEY-----";
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwxkUC4L5P46dLijPwcqp
xqGVzDzSPCmGn3B0jCcGyfb0bnlr6w5usoJE5zA/Pyil0243619b8uLm354vF6eQ
BeF1Nul+4tcXltc6/f7qur0e1UsxX2sJtezlt7D60nZ1RbHIciLI+hLdnDPjz2Mp
y61woXYOrFGyLzLwMibCP5Qt2PJ1l6IEy6EjaU45CVNhanX+2Qt6y7BO/eXECnFs
tCc0gDHl59IkjVALyVg6nFfb0hsbgISGMiVo9Qf9endmsf/AnQJDnOD6PzwUD8CB
5GFIAHZ5rKjLZagu/KVJn52ztz+0fxybEvVgg1f254JRFp5+VWJCbTZkmGlPvPj6
vQIDAQAB
-----END PUBLIC KEY-----";

fn credentials(pem: &str, algorithm: Option<&str>) -> Credentials {
    Credentials {
        client_id: "me".to_owned(),
        private_key_pem: Some(pem.to_owned()),
        algorithm: algorithm.map(str::to_owned),
        ..Credentials::default()
    }
}

fn signed_by(pem: &str, algorithm: Option<&str>, offered: &[&str]) -> Result<String, AuthError> {
    let offered: Vec<String> = offered.iter().map(|&name| name.to_owned()).collect();
    let occasion = Occasion {
        audience: "https://a/tenant",
        offered: &offered,
        issued_at: jsonwebtoken::get_current_timestamp(),
        id: "once",
    };
    sign(&credentials(pem, algorithm), occasion)
}

fn algorithm_of(assertion: &str) -> Algorithm {
    decode_header(assertion).unwrap().alg
}

fn claims(assertion: &str, key: &DecodingKey) -> Value {
    let mut validation = Validation::new(algorithm_of(assertion));
    validation.set_audience(&["https://a/tenant"]);
    validation.required_spec_claims = ["exp", "aud", "iss", "sub"]
        .map(str::to_owned)
        .into_iter()
        .collect::<HashSet<_>>();
    decode(assertion, key, &validation).unwrap().claims
}

#[test]
fn an_assertion_says_who_for_whom_and_for_how_long() {
    let assertion = signed_by(P256, None, &[]).unwrap();
    let key = DecodingKey::from_ec_pem(P256_PUBLIC.as_bytes()).unwrap();
    let claims = claims(&assertion, &key);
    assert_eq!(claims["iss"], "me");
    assert_eq!(claims["sub"], "me");
    assert_eq!(claims["aud"], "https://a/tenant");
    assert_eq!(claims["jti"], "once");
    let lived = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(json!(lived), json!(LIFETIME));
}

#[test]
fn every_kind_of_key_signs_so_that_its_public_part_verifies() {
    let ec = |pem: &str| DecodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    for (pem, key, expected) in [
        (P256, ec(P256_PUBLIC), Algorithm::ES256),
        (P384, ec(P384_PUBLIC), Algorithm::ES384),
        (
            ED25519,
            DecodingKey::from_ed_pem(ED25519_PUBLIC.as_bytes()).unwrap(),
            Algorithm::EdDSA,
        ),
        (
            RSA,
            DecodingKey::from_rsa_pem(RSA_PUBLIC.as_bytes()).unwrap(),
            Algorithm::RS256,
        ),
    ] {
        assert!(is_key(pem));
        let assertion = signed_by(pem, None, &[]).unwrap();
        assert_eq!(algorithm_of(&assertion), expected);
        claims(&assertion, &key);
    }
}

#[test]
fn the_algorithm_suits_the_server_unless_it_is_prescribed() {
    let chosen = |prescribed, offered: &[&str]| {
        let assertion = signed_by(RSA, prescribed, offered).ok()?;
        Some(algorithm_of(&assertion))
    };
    assert_eq!(chosen(None, &["ES256", "PS512"]), Some(Algorithm::PS512));
    assert_eq!(chosen(None, &["ES256", "none", "HS256"]), None);
    assert_eq!(chosen(Some("RS384"), &["RS256"]), Some(Algorithm::RS384));
    assert_eq!(chosen(Some("ES256"), &[]), None);
}

#[test]
fn what_is_no_private_key_or_no_algorithm_for_one_is_refused_and_not_shown() {
    for name in ["HS256", "none", "rs256", ""] {
        assert!(algorithm(name).is_err(), "{name}");
        assert!(signed_by(P256, Some(name), &[]).is_err(), "{name}");
    }
    let cut = P256.replace("MIGHAg", "hidden");
    for text in ["", "hidden", P256_PUBLIC, &cut] {
        let error = signed_by(text, None, &[]).unwrap_err();
        assert!(matches!(error, AuthError::Key { .. }), "{error}");
        assert!(!format!("{error:?}").contains("hidden"));
    }
    assert!(!is_key("hidden") && !is_key(P256_PUBLIC));
}
