//! Certificates: signatures of many validators for one height and round.

use cets_contracts::block::VALIDATORS_MAX;
use malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, PolkaCertificate, PolkaSignature,
    RoundCertificate, RoundCertificateType, RoundSignature,
};

use super::fields::{put_list, put_round, read_round};
use super::{Input, Sink, Wire, WireError};
use crate::context::EngineContext;

/// Most signatures of a round certificate: a prevote and a precommit of every validator.
const ROUND_SIGNATURES_MAX: usize = 2 * VALIDATORS_MAX;

impl Wire for PolkaSignature<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.address.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self::new(Wire::read(input)?, Wire::read(input)?))
    }
}

impl Wire for PolkaCertificate<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        put_round(self.round, sink);
        self.value_id.put(sink);
        put_list(&self.polka_signatures, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: read_round(input)?,
            value_id: Wire::read(input)?,
            polka_signatures: input.list(VALIDATORS_MAX, "the polka signatures")?,
        })
    }
}

impl Wire for RoundSignature<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.vote_type.put(sink);
        self.value_id.put(sink);
        self.address.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        let (vote_type, value_id) = (Wire::read(input)?, Wire::read(input)?);
        Ok(Self::new(vote_type, value_id, Wire::read(input)?, Wire::read(input)?))
    }
}

impl Wire for RoundCertificate<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        put_round(self.round, sink);
        sink.put(&[match self.cert_type {
            RoundCertificateType::Skip => 1,
            RoundCertificateType::Precommit => 2,
        }]);
        put_list(&self.round_signatures, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: read_round(input)?,
            cert_type: match input.u8("a round certificate")? {
                1 => RoundCertificateType::Skip,
                2 => RoundCertificateType::Precommit,
                found => return Err(WireError::Tag { what: "a round certificate", found }),
            },
            round_signatures: input.list(ROUND_SIGNATURES_MAX, "the round signatures")?,
        })
    }
}

/// Without the extension, which this network does not use.
impl Wire for ExtendedCommitSignature<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.address.put(sink);
        self.signature.put(sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self::new(Wire::read(input)?, Wire::read(input)?, None))
    }
}

impl Wire for ExtendedCommitCertificate<EngineContext> {
    fn put(&self, sink: &mut impl Sink) {
        self.height.put(sink);
        put_round(self.round, sink);
        self.value_id.put(sink);
        put_list(&self.commit_signatures, sink);
    }

    fn read(input: &mut Input) -> Result<Self, WireError> {
        Ok(Self {
            height: Wire::read(input)?,
            round: read_round(input)?,
            value_id: Wire::read(input)?,
            commit_signatures: input.list(VALIDATORS_MAX, "the commit signatures")?,
        })
    }
}
