//! Envelope errors in words.

use super::{EnvelopeError, SIGNERS_PER_TRANSACTION_MAX, TRANSACTION_BYTES_MAX};
use crate::rules::{Explanation, Language, RejectCode};

crate::reject_codes! { ENVELOPE_CODES:
    1 TRANSACTION_MALFORMED "Format of transactions" [reason]
        en "The bytes are no transaction: {reason}."
        zh "字节不是有效的交易：{reason}。"
        hint "Build it again with this network's client version; it may be truncated or newer."
        hint_zh "请使用与本网络版本一致的客户端重新生成；内容可能被截断或版本较新。";
    2 TRANSACTION_TOO_LARGE "Limit of the ledger" [bytes, limit]
        en "The transaction has {bytes} bytes, at most {limit} are allowed."
        zh "交易为 {bytes} 字节，最多允许 {limit} 字节。"
        hint "Split the batch into several transactions."
        hint_zh "请将批次拆分为多笔交易。";
    3 SIGNATURE_COUNT "Format of transactions" [limit]
        en "A transaction lists 1 to {limit} signers, ascending, and carries one signature of each."
        zh "交易须列明 1 至 {limit} 名签名人（按密钥升序），并附每人一个签名。"
        hint "Let every signer that it lists sign it; to change them, build it again."
        hint_zh "请所列签名人逐一签名；如需更换签名人，请重新生成交易。";
    4 SIGNATURE_INVALID "Format of transactions" [key]
        en "The signature of key {key} does not verify."
        zh "密钥 {key} 的签名验证失败。"
        hint "Sign this transaction with the key it names; a changed body needs new signatures."
        hint_zh "请用所列密钥对本交易重新签名；内容改动后须重新签名。";
    5 CHAIN_WRONG "Format of transactions" [found, expected]
        en "The transaction is for ledger {found}, this is ledger {expected}."
        zh "交易属于账本 {found}，本账本为 {expected}。"
        hint "Choose the context of the network you mean, build and sign again."
        hint_zh "请选择正确网络的上下文，重新生成并签名。";
    6 TRANSACTION_EXPIRED "Format of transactions" [valid_until, block_time]
        en "The transaction was valid until {valid_until} ms, block time is {block_time} ms."
        zh "交易有效期至 {valid_until} 毫秒，当前区块时间为 {block_time} 毫秒。"
        hint "Build it again with a later valid_until and sign again; the old one can never apply."
        hint_zh "请设定更晚的有效期并重新签名；原交易不会再生效。";
    7 VALIDITY_TOO_LONG "Limit of the ledger" [block_time, hours]
        en "valid_until is more than {hours} h after block time {block_time} ms."
        zh "有效期超过区块时间 {block_time} 毫秒后 {hours} 小时。"
        hint "Choose a valid_until within {hours} h and sign again; check this machine's clock."
        hint_zh "请将有效期设在 {hours} 小时以内并重新签名，并检查本机时钟。";
    8 TRANSACTION_REPLAYED "Format of transactions" [id]
        en "Transaction {id} was already accepted."
        zh "交易 {id} 已被接受。"
        hint "Nothing to do: ask for its receipt. To order the same again, build a new transaction."
        hint_zh "无需重复提交，可查询其回执。如需再次办理，请新建交易。";
}

impl EnvelopeError {
    /// The error in words.
    pub fn explain(&self, language: Language) -> Explanation {
        let (code, facts) = self.code_and_facts();
        code.explain(language, &facts)
    }

    fn code_and_facts(&self) -> (&'static RejectCode, Vec<String>) {
        match self {
            Self::Malformed(error) => (&TRANSACTION_MALFORMED, vec![error.reason.clone()]),
            Self::TooLarge { bytes } => {
                let facts = vec![bytes.to_string(), TRANSACTION_BYTES_MAX.to_string()];
                (&TRANSACTION_TOO_LARGE, facts)
            }
            Self::SignatureCount => {
                (&SIGNATURE_COUNT, vec![SIGNERS_PER_TRANSACTION_MAX.to_string()])
            }
            Self::BadSignature { key } => (&SIGNATURE_INVALID, vec![key.to_string()]),
            Self::WrongChain { found, expected } => {
                (&CHAIN_WRONG, vec![found.to_string(), expected.to_string()])
            }
            Self::Expired { valid_until, block_time } => {
                let facts =
                    vec![valid_until.as_millis().to_string(), block_time.as_millis().to_string()];
                (&TRANSACTION_EXPIRED, facts)
            }
            Self::ValidTooLong { block_time } => {
                (&VALIDITY_TOO_LONG, vec![block_time.as_millis().to_string(), "24".to_owned()])
            }
            Self::Replayed { id } => (&TRANSACTION_REPLAYED, vec![id.to_string()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::CodecError;
    use crate::tx::TRANSACTION_LIFE_MILLIS_MAX;
    use crate::types::{BlockTime, ChainId, PublicKey, TxId};

    fn one_of_each() -> Vec<EnvelopeError> {
        let time = BlockTime::from_millis(5);
        let chain = ChainId::new([1; 16]);
        vec![
            EnvelopeError::Malformed(CodecError { reason: "unexpected end".to_owned() }),
            EnvelopeError::TooLarge { bytes: 70_000 },
            EnvelopeError::SignatureCount,
            EnvelopeError::BadSignature { key: PublicKey::new([2; 32]) },
            EnvelopeError::WrongChain { found: chain, expected: ChainId::new([3; 16]) },
            EnvelopeError::Expired { valid_until: time, block_time: time },
            EnvelopeError::ValidTooLong { block_time: time },
            EnvelopeError::Replayed { id: TxId::new([4; 32]) },
        ]
    }

    #[test]
    fn every_envelope_error_has_the_text_of_its_own_number() {
        let errors = one_of_each();
        assert_eq!(errors.len(), ENVELOPE_CODES.len());
        for (error, code) in errors.iter().zip(ENVELOPE_CODES) {
            assert_eq!(error.number(), code.number);
            for language in [Language::English, Language::Chinese] {
                let explained = error.explain(language);
                assert_eq!(explained.number, error.number());
                let text = format!("{}{}", explained.sentence, explained.hint);
                assert!(!text.contains('{') && !text.contains('}'), "{text}");
            }
            assert_eq!(error.code_and_facts().1.len(), code.facts.len());
        }
    }

    #[test]
    fn the_longest_life_in_the_text_is_the_limit() {
        assert_eq!(TRANSACTION_LIFE_MILLIS_MAX, 24 * 3_600_000);
    }
}
