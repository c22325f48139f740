//! What an encrypted key file may ask for before it is opened.
//!
//! The file itself names the cost of its key derivation. One that was made to harm asks for all
//! memory of the machine, or for days; so the cost is looked at first.

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;

/// Most blocks of 128 bytes that scrypt may fill (N times r): 64 MiB.
pub const SCRYPT_BLOCKS_MAX: u64 = 1 << 19;
/// Most blocks that scrypt may fill in all (N times r times p): some tenths of a second.
pub const SCRYPT_WORK_MAX: u64 = 1 << 20;
/// Most iterations of PBKDF2.
pub const PBKDF2_ITERATIONS_MAX: u32 = 1_000_000;

/// A key file asks for more than [`SCRYPT_BLOCKS_MAX`], [`SCRYPT_WORK_MAX`] or
/// [`PBKDF2_ITERATIONS_MAX`], or is encrypted in a way whose cost is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "opening the key would cost too much: at most 64 MiB (scrypt) or {PBKDF2_ITERATIONS_MAX} \
     iterations (PBKDF2) are allowed"
)]
pub struct KeyCostError;

/// Refuses a key that would cost too much to open.
///
/// # Errors
/// [`KeyCostError`].
pub fn check_key_cost(key: &EncryptedPrivateKeyInfoRef<'_>) -> Result<(), KeyCostError> {
    let EncryptionScheme::Pbes2(parameters) = &key.encryption_algorithm else {
        return Err(KeyCostError);
    };
    let fits = match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let blocks = scrypt.cost_parameter.checked_mul(scrypt.block_size.into());
            let work = blocks.and_then(|it| it.checked_mul(scrypt.parallelization.into()));
            blocks.is_some_and(|blocks| blocks <= SCRYPT_BLOCKS_MAX)
                && work.is_some_and(|work| work <= SCRYPT_WORK_MAX)
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= PBKDF2_ITERATIONS_MAX,
        _ => false,
    };
    if fits { Ok(()) } else { Err(KeyCostError) }
}

#[cfg(test)]
mod tests {
    use pkcs8::der::asn1::OctetStringRef;
    use pkcs8::pkcs5::pbes2::Parameters;
    use pkcs8::pkcs5::scrypt::Params;

    use super::*;

    fn check(parameters: Parameters) -> Result<(), KeyCostError> {
        check_key_cost(&EncryptedPrivateKeyInfoRef {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&[0; 48]).unwrap(),
        })
    }

    #[test]
    fn usual_costs_are_taken_and_a_terabyte_is_not() {
        let scrypt = |log_n, r, p| {
            let cost = Params::new(log_n, r, p).unwrap();
            check(Parameters::generate_scrypt_aes256cbc(cost, &[1; 16], [2; 16]).unwrap())
        };
        assert_eq!(scrypt(14, 8, 1), Ok(()));
        assert_eq!(scrypt(16, 8, 1), Ok(()));
        assert_eq!(scrypt(17, 8, 1), Err(KeyCostError));
        assert_eq!(scrypt(14, 8, 16), Err(KeyCostError));
        assert_eq!(scrypt(30, 8, 1), Err(KeyCostError));
        let pbkdf2 = |rounds| {
            check(Parameters::generate_pbkdf2_sha256_aes256cbc(rounds, &[1; 16], [2; 16]).unwrap())
        };
        assert_eq!(pbkdf2(600_000), Ok(()));
        assert_eq!(pbkdf2(100_000_000), Err(KeyCostError));
    }
}
