//! Access tokens: how a caller proves which account it reads for.
//!
//! A token is a JSON Web Token (RFC 7519) signed with EdDSA (RFC 8037) by a representative of the
//! account. It travels as `authorization: Bearer …`, works for one ledger and lives at most
//! [`TOKEN_LIFE_SECONDS_MAX`]. Header and claims are fixed; anything else is refused:
//!
//! ```text
//! {"alg":"EdDSA","typ":"JWT"}
//! {"sub": account, "key": public key in hex, "aud": chain id, "iat": s, "exp": s, "jti": random}
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Longest life of a token in seconds.
pub const TOKEN_LIFE_SECONDS_MAX: u64 = 300;
/// How far ahead of the reader's clock a token may have been issued, in seconds.
pub const TOKEN_SKEW_SECONDS_MAX: u64 = 60;
/// Most bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 2_048;
/// Metadata key that carries the token.
pub const TOKEN_METADATA: &str = "authorization";

const ALGORITHM: &str = "EdDSA";
const TOKEN_TYPE: &str = "JWT";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Account that is read for, in its text form.
    #[serde(rename = "sub")]
    pub account: String,
    /// Public key of the representative in hexadecimal; the token is signed with it.
    pub key: String,
    /// Ledger, as the text form of its chain id.
    #[serde(rename = "aud")]
    pub chain_id: String,
    /// Issued at, in seconds since 1970-01-01T00:00:00Z.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// Not valid from this second on.
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// Random text that makes each token another one.
    #[serde(rename = "jti")]
    pub token_id: String,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of this kind.
    #[error("the token is malformed")]
    Malformed,
    /// The key it names did not sign it.
    #[error("the signature of the token does not verify")]
    BadSignature,
    /// It is for another ledger.
    #[error("the token is for another ledger")]
    OtherChain,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// It was issued in the future.
    #[error("the token was issued in the future")]
    FromTheFuture,
    /// It lives longer than [`TOKEN_LIFE_SECONDS_MAX`].
    #[error("the token lives longer than {TOKEN_LIFE_SECONDS_MAX} s")]
    LivesTooLong,
}

/// Makes a token for an account, signed by one of its representatives.
///
/// `now` is in seconds since 1970-01-01T00:00:00Z; `life` is capped at
/// [`TOKEN_LIFE_SECONDS_MAX`]; `token_id` is random.
pub fn mint(
    key: &SigningKey,
    account: &str,
    chain_id: &str,
    now: u64,
    life: u64,
    token_id: [u8; 16],
) -> String {
    let claims = Claims {
        account: account.to_owned(),
        key: hex::encode(key.verifying_key().as_bytes()),
        chain_id: chain_id.to_owned(),
        issued_at: now,
        expires_at: now.saturating_add(life.min(TOKEN_LIFE_SECONDS_MAX)),
        token_id: hex::encode(token_id),
    };
    sign(key, &claims)
}

/// Signs claims as they are, without judging them.
pub fn sign(key: &SigningKey, claims: &Claims) -> String {
    let header = Header { alg: ALGORITHM.to_owned(), typ: TOKEN_TYPE.to_owned() };
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn part(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("strings and numbers have a JSON form");
    URL_SAFE_NO_PAD.encode(json)
}

/// The value of the metadata key [`TOKEN_METADATA`] for a token.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Checks a token: form, signature, ledger and times. Whether the key represents the account is
/// for the reader to find out.
///
/// `now` is in seconds since 1970-01-01T00:00:00Z.
pub fn verify(token: &str, chain_id: &str, now: u64) -> Result<Claims, TokenError> {
    let claims = verify_signature(token)?;
    if claims.chain_id != chain_id {
        return Err(TokenError::OtherChain);
    }
    let life = claims.expires_at.checked_sub(claims.issued_at).ok_or(TokenError::Malformed)?;
    if life > TOKEN_LIFE_SECONDS_MAX {
        return Err(TokenError::LivesTooLong);
    }
    if claims.issued_at > now.saturating_add(TOKEN_SKEW_SECONDS_MAX) {
        return Err(TokenError::FromTheFuture);
    }
    if claims.expires_at <= now {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}

fn verify_signature(token: &str) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let header: Header = read_part(header)?;
    if header.alg != ALGORITHM || header.typ != TOKEN_TYPE {
        return Err(TokenError::Malformed);
    }
    let claims: Claims = read_part(claims)?;
    let mut key = [0u8; 32];
    hex::decode_to_slice(&claims.key, &mut key).map_err(|_| TokenError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    let signature = Signature::from_slice(&signature).map_err(|_| TokenError::Malformed)?;
    VerifyingKey::from_bytes(&key)
        .and_then(|key| key.verify_strict(signed.as_bytes(), &signature))
        .map_err(|_| TokenError::BadSignature)?;
    Ok(claims)
}

fn read_part<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;
    const CHAIN: &str = "00112233445566778899aabbccddeeff";
    const ACCOUNT: &str = "CN-KEE-0000000001-19";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn claims() -> Claims {
        Claims {
            account: ACCOUNT.to_owned(),
            key: hex::encode(key(1).verifying_key().as_bytes()),
            chain_id: CHAIN.to_owned(),
            issued_at: NOW,
            expires_at: NOW + 300,
            token_id: "01".to_owned(),
        }
    }

    #[test]
    fn a_minted_token_says_who_reads_and_until_when() {
        let token = mint(&key(1), ACCOUNT, CHAIN, NOW, 9_999, [1; 16]);
        let claims = verify(&token, CHAIN, NOW + 299).unwrap();
        assert_eq!(claims.account, ACCOUNT);
        assert_eq!(claims.expires_at, NOW + TOKEN_LIFE_SECONDS_MAX);
    }

    #[test]
    fn a_token_holds_only_within_its_time() {
        let token = mint(&key(1), ACCOUNT, CHAIN, NOW, 300, [1; 16]);
        assert_eq!(verify(&token, CHAIN, NOW + 300), Err(TokenError::Expired));
        assert!(verify(&token, CHAIN, NOW - 60).is_ok());
        assert_eq!(verify(&token, CHAIN, NOW - 61), Err(TokenError::FromTheFuture));
        let long = Claims { expires_at: NOW + 301, ..claims() };
        assert_eq!(verify(&sign(&key(1), &long), CHAIN, NOW), Err(TokenError::LivesTooLong));
        let reversed = Claims { expires_at: NOW - 1, ..claims() };
        assert_eq!(verify(&sign(&key(1), &reversed), CHAIN, NOW), Err(TokenError::Malformed));
    }

    #[test]
    fn a_token_for_another_ledger_is_refused() {
        let token = sign(&key(1), &claims());
        assert_eq!(verify(&token, "ff", NOW), Err(TokenError::OtherChain));
    }

    #[test]
    fn a_token_signed_by_another_key_than_it_names_is_refused() {
        assert_eq!(verify(&sign(&key(2), &claims()), CHAIN, NOW), Err(TokenError::BadSignature));
    }

    #[test]
    fn changing_any_character_of_a_token_breaks_it() {
        let token = sign(&key(1), &claims());
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed, CHAIN, NOW).is_err(), "position {at}");
        }
    }

    #[test]
    fn other_algorithms_and_shapes_are_refused() {
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let body = part(&claims());
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{"alg":"EdDSA"}"#,
            r#"{"alg":"EdDSA","typ":"JWT","jwk":{}}"#,
        ] {
            let signed = format!("{}.{body}", encode(header));
            let signature = URL_SAFE_NO_PAD.encode(key(1).sign(signed.as_bytes()).to_bytes());
            let token = format!("{signed}.{signature}");
            assert_eq!(verify(&token, CHAIN, NOW), Err(TokenError::Malformed), "{header}");
        }
        let token = sign(&key(1), &claims());
        let unsigned = token.rsplit_once('.').unwrap().0.to_owned();
        for text in ["", ".", "..", "a.b.c", unsigned.as_str(), &format!("{unsigned}.")] {
            assert_eq!(verify(text, CHAIN, NOW), Err(TokenError::Malformed), "{text}");
        }
        assert_eq!(verify(&"a".repeat(3_000), CHAIN, NOW), Err(TokenError::Malformed));
    }
}
