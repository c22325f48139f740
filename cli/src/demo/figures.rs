//! Figures published about the national market of 2021 to 2023, with their sources.
//!
//! Section numbers are those of the project's rule book. Trading figures are sums of the
//! exchange's daily quotes and equal the totals of the ministry's progress reports; compliance
//! figures come from the progress report of 2024 and the development reports of 2025 and 2026.
//! Tonnes are whole tonnes, money is fen, prices are fen per tonne.
//!
//! Compliance figures were published rounded. The replay needs whole tonnes, so it fixes them:
//!
//! | Figure | Published | Used, t | Why |
//! |---|---|---|---|
//! | issued 2019-20 | about 4.5 Gt a year | 9,000,000,000 | two years |
//! | issued 2021 | 5.096 Gt | 5,096,000,000 | as printed |
//! | issued 2022 | 5.104 Gt | 5,104,000,000 | as printed |
//! | surplus 2021 | 1.47 Mt | 1,470,000 | as printed |
//! | surplus 2022 | 12.98 Mt | 12,980,000 | as printed |
//! | obligation 2021 | 5.094 Gt | 5,094,530,000 | issued less surplus |
//! | obligation 2022 | 5.091 Gt | 5,091,020,000 | issued less surplus |
//! | obligation 2019-20 | - | 8,800,000,000 | chosen: surpluses feed the trading |
//! | gross deficits 2019-20 | 188 Mt, 847 entities | 188,000,000 | as printed |
//! | gross deficits 2021 | - | 95,000,000 of 1,200 | chosen: within the volumes |
//! | gross deficits 2022 | - | 130,000,000 of 1,400 | chosen: within the volumes |
//! | unpaid 2019-20 | 0.5 % | 44,000,000 | exactly 0.5 % |
//! | unpaid 2021 | 0.39 % | 19,868,667 | nearest tonne |
//! | unpaid 2022 | 0.12 % | 6,109,224 | nearest tonne |
//! | CCER 2019-20 | 32.73 Mt | 32,730,000 | as printed |
//! | CCER 2021-22 | 3.7174 Mt | 1,500,000 + 2,217,400 | split by year chosen |
//! | entities continuing | - | 2,011 entities | 151 closed leave, 246 new make 2,257 |
//!
//! The printed obligation of 2021, 5.094 Gt, is 5.09453 Gt cut after three decimals: the rounded
//! totals differ by 2.0 Mt, the published surplus is 1.47 Mt.

/// One month of the national market, rule book 8.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Calendar year.
    pub year: u32,
    /// Calendar month.
    pub month: u32,
    /// Trading days.
    pub days: u64,
    /// Tonnes by listing agreement.
    pub listing: u64,
    /// Tonnes by block agreement.
    pub block: u64,
    /// All tonnes; nothing was auctioned before 2025.
    pub total: u64,
    /// Turnover in fen.
    pub fen: u64,
    /// Volume-weighted average price.
    pub average: u64,
    /// Composite close of the last trading day.
    pub close: u64,
}

#[expect(clippy::too_many_arguments, reason = "a row of the published table, in its order")]
const fn month(
    year: u32,
    month: u32,
    days: u64,
    listing: u64,
    block: u64,
    total: u64,
    fen: u64,
    average: u64,
    close: u64,
) -> Month {
    Month { year, month, days, listing, block, total, fen, average, close }
}

/// All months from the first trading day to the end of 2023, rule book 8.4.
pub const MONTHS: &[Month] = &[
    month(2021, 7, 11, 5_051_937, 900_000, 5_951_937, 29_958_538_830, 5_033, 5_417),
    month(2021, 8, 22, 353_636, 2_134_856, 2_488_492, 11_655_092_636, 4_684, 4_535),
    month(2021, 9, 20, 225_207, 8_983_359, 9_208_566, 38_459_237_032, 4_176, 4_221),
    month(2021, 10, 16, 407_431, 2_145_539, 2_552_970, 10_742_634_762, 4_208, 4_241),
    month(2021, 11, 22, 2_960_229, 20_069_516, 23_029_745, 93_897_066_704, 4_077, 4_295),
    month(2021, 12, 23, 21_776_156, 113_781_484, 135_557_640, 581_410_432_335, 4_289, 5_422),
    month(2022, 1, 19, 991_818, 6_870_646, 7_862_464, 41_085_498_382, 5_226, 6_138),
    month(2022, 2, 16, 192_429, 1_478_186, 1_670_615, 9_642_518_081, 5_772, 5_774),
    month(2022, 3, 23, 167_898, 540_656, 708_554, 3_996_881_990, 5_641, 5_855),
    month(2022, 4, 19, 45_435, 1_405_093, 1_450_528, 8_259_580_250, 5_694, 5_880),
    month(2022, 5, 19, 125_149, 2_130_000, 2_255_149, 12_812_002_500, 5_681, 5_900),
    month(2022, 6, 21, 290, 770_000, 770_290, 4_456_618_000, 5_786, 5_750),
    month(2022, 7, 21, 441_990, 650_000, 1_091_990, 6_423_022_356, 5_882, 5_800),
    month(2022, 8, 23, 196_652, 351_335, 547_987, 3_074_043_600, 5_610, 5_800),
    month(2022, 9, 21, 10_810, 0, 10_810, 63_456_500, 5_870, 5_750),
    month(2022, 10, 16, 310_060, 659_686, 969_746, 5_284_696_500, 5_450, 5_800),
    month(2022, 11, 22, 2_634_242, 4_664_130, 7_298_372, 40_367_483_358, 5_531, 5_752),
    month(2022, 12, 22, 1_102_199, 25_150_789, 26_252_988, 145_934_667_911, 5_559, 5_500),
    month(2023, 1, 16, 257_400, 0, 257_400, 1_434_228_227, 5_572, 5_600),
    month(2023, 2, 20, 254_306, 1_600_000, 1_854_306, 10_359_583_080, 5_587, 5_500),
    month(2023, 3, 23, 31_603, 1_276_000, 1_307_603, 6_895_486_100, 5_273, 5_600),
    month(2023, 4, 19, 52_657, 1_000_000, 1_052_657, 5_545_706_400, 5_268, 5_500),
    month(2023, 5, 20, 206_834, 1_025_000, 1_231_834, 6_949_753_201, 5_642, 5_850),
    month(2023, 6, 20, 1_226_713, 1_075_748, 2_302_461, 12_451_852_250, 5_408, 6_000),
    month(2023, 7, 21, 847_544, 2_161_717, 3_009_261, 16_562_226_966, 5_504, 6_474),
    month(2023, 8, 23, 1_459_168, 11_938_543, 13_397_711, 82_575_552_977, 6_163, 6_879),
    month(2023, 9, 20, 6_678_431, 28_896_740, 35_575_171, 233_878_583_601, 6_574, 7_604),
    month(2023, 10, 17, 7_527_526, 85_523_795, 93_051_321, 642_174_643_539, 6_901, 7_805),
    month(2023, 11, 22, 9_794_138, 30_638_150, 40_432_288, 290_250_444_621, 7_179, 7_045),
    month(2023, 12, 21, 6_660_277, 11_811_478, 18_471_755, 135_313_519_239, 7_325, 7_942),
];

/// One year of the national market, rule book 8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Year {
    /// Calendar year.
    pub year: u32,
    /// Trading days.
    pub days: u64,
    /// Tonnes by listing agreement.
    pub listing: u64,
    /// Tonnes by block agreement.
    pub block: u64,
    /// All tonnes.
    pub total: u64,
    /// Turnover in fen.
    pub fen: u64,
    /// Composite close of the last trading day.
    pub close: u64,
    /// Lowest composite close.
    pub close_min: u64,
    /// Highest composite close.
    pub close_max: u64,
    /// All tonnes since the first trading day.
    pub cumulative: u64,
}

/// The years 2021 (from July 16) to 2023, rule book 8.2.
pub const YEARS: &[Year] = &[
    Year {
        year: 2021,
        days: 114,
        listing: 30_774_596,
        block: 148_014_754,
        total: 178_789_350,
        fen: 766_123_002_299,
        close: 5_422,
        close_min: 4_146,
        close_max: 5_870,
        cumulative: 178_789_350,
    },
    Year {
        year: 2022,
        days: 242,
        listing: 6_218_972,
        block: 44_670_521,
        total: 50_889_493,
        fen: 281_400_469_428,
        close: 5_500,
        close_min: 5_500,
        close_max: 6_138,
        cumulative: 229_678_843,
    },
    Year {
        year: 2023,
        days: 242,
        listing: 34_996_597,
        block: 176_947_171,
        total: 211_943_768,
        fen: 1_444_391_580_201,
        close: 7_942,
        close_min: 5_052,
        close_max: 8_167,
        cumulative: 441_622_611,
    },
];

/// Turnover to the end of 2023 in fen, rule book 8.2.
pub const TURNOVER_TO_2023: u64 = 2_491_915_051_928;
/// Turnover of the second cycle, 2022 and 2023, in fen, rule book 8.2.
pub const TURNOVER_SECOND_CYCLE: u64 = 1_725_792_049_629;
/// Trading days of the second cycle, each with trades, rule book 8.1.
pub const TRADING_DAYS_SECOND_CYCLE: u64 = 484;
/// Growth of tonnes from the first to the second cycle, hundredths of a per cent, 8.2.
pub const GROWTH_TONNES: u64 = 4_701;
/// Growth of turnover from the first to the second cycle, hundredths of a per cent, 8.2.
pub const GROWTH_TURNOVER: u64 = 12_526;
/// Growth of listing tonnes from the first to the second cycle, hundredths of a per cent, 8.2.
pub const GROWTH_LISTING: u64 = 3_393;
/// Growth of block tonnes from the first to the second cycle, hundredths of a per cent, 8.2.
pub const GROWTH_BLOCK: u64 = 4_973;
/// Rise of the composite close from the end of 2021 to the end of 2023, hundredths of a per cent.
pub const RISE_TWO_YEARS: u64 = 4_648;
/// Rise from the first opening price, 48.00, to the end of 2023, hundredths of a per cent.
pub const RISE_SINCE_START: u64 = 6_546;
/// First opening price of the market, rule book 8.2.
pub const OPENING_PRICE: u64 = 4_800;
/// Vintage and last close of 2023, rule book 8.2.
pub const CLOSES_2023: &[(u16, u64)] = &[(1920, 8_200), (2021, 7_830), (2022, 7_797)];
/// Tonnes, turnover and close of the first trading day, rule book 8.2 and 8.4.
pub const FIRST_DAY: (u64, u64, u64) = (4_103_953, 21_023_005_325, 5_123);
/// Tonnes and price of the first block agreement, 2021-07-21, rule book 8.2.
pub const FIRST_BLOCK: (u64, u64) = (100_000, 5_292);
/// Vintages whose quotes start after the market's first day, rule book 2.6: the first reference
/// price is the composite close of the trading day before.
pub const FIRST_QUOTED: &[(u16, (u32, u32, u32))] = &[(2021, (2023, 8, 28)), (2022, (2023, 8, 28))];

/// A year of compliance, rule book 8.3, with the whole tonnes the replay uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compliance {
    /// Vintage of its allowances; 1920 is 2019-20.
    pub vintage: u16,
    /// Entities with allowances and an obligation.
    pub entities: u64,
    /// Tonnes issued.
    pub issued: u64,
    /// Tonnes owed.
    pub obligation: u64,
    /// Entities that emitted more than they were issued.
    pub short_entities: u64,
    /// Tonnes these emitted more than they were issued.
    pub deficit: u64,
    /// Entities that did not pay in full.
    pub unpaid_entities: u64,
    /// Tonnes not paid at the deadline.
    pub unpaid: u64,
    /// Deficit of the entities that did not pay in full.
    pub unpaid_entities_deficit: u64,
    /// Tonnes paid with certified voluntary reductions.
    pub offset: u64,
}

/// Compliance for 2019-20, 2021 and 2022.
pub const COMPLIANCE: [Compliance; 3] = [
    Compliance {
        vintage: 1920,
        entities: 2_011,
        issued: 9_000_000_000,
        obligation: 8_800_000_000,
        short_entities: 847,
        deficit: 188_000_000,
        unpaid_entities: 178,
        unpaid: 44_000_000,
        unpaid_entities_deficit: 60_000_000,
        offset: 32_730_000,
    },
    Compliance {
        vintage: 2021,
        entities: 2_257,
        issued: 5_096_000_000,
        obligation: 5_094_530_000,
        short_entities: 1_200,
        deficit: 95_000_000,
        unpaid_entities: 80,
        unpaid: 19_868_667,
        unpaid_entities_deficit: 24_000_000,
        offset: 1_500_000,
    },
    Compliance {
        vintage: 2022,
        entities: 2_257,
        issued: 5_104_000_000,
        obligation: 5_091_020_000,
        short_entities: 1_400,
        deficit: 130_000_000,
        unpaid_entities: 80,
        unpaid: 6_109_224,
        unpaid_entities_deficit: 9_000_000,
        offset: 2_217_400,
    },
];

/// Entities on the list of the first cycle, rule book 8.3.
pub const ENTITIES_LISTED: u64 = 2_162;
/// Listed entities that were closed and received nothing, rule book 8.3.
pub const ENTITIES_CLOSED: u64 = 151;
/// Entities of the second cycle, rule book 8.3.
pub const ENTITIES_SECOND_CYCLE: u64 = 2_257;
/// Fewer entities that did not pay in full in the second cycle than in the first, 8.3.
pub const UNPAID_ENTITIES_FEWER: u64 = 98;
/// Reductions issued in the replay to the synthetic projects of the rules of 2012; what was used
/// is published, what was issued by 2023 is not.
pub const CCER_ISSUED: u64 = 37_000_000;
/// Smallest yearly emissions that make an entity a key emitting entity, tonnes.
pub const EMISSIONS_MIN: u64 = 26_000;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn months_add_up_to_their_years() {
        for year in YEARS {
            let sum = |of: fn(&Month) -> u64| -> u64 {
                MONTHS.iter().filter(|month| month.year == year.year).map(of).sum()
            };
            assert_eq!(sum(|month| month.days), year.days);
            assert_eq!(sum(|month| month.listing), year.listing);
            assert_eq!(sum(|month| month.block), year.block);
            assert_eq!(sum(|month| month.total), year.total);
            assert_eq!(sum(|month| month.fen), year.fen);
        }
        assert!(MONTHS.iter().all(|month| month.listing + month.block == month.total));
    }

    #[test]
    fn cumulative_totals_add_up() {
        let mut tonnes = 0;
        for year in YEARS {
            tonnes += year.total;
            assert_eq!(tonnes, year.cumulative);
        }
        assert_eq!(YEARS.iter().map(|year| year.fen).sum::<u64>(), TURNOVER_TO_2023);
        assert_eq!(YEARS[1].fen + YEARS[2].fen, TURNOVER_SECOND_CYCLE);
        assert_eq!(YEARS[1].days + YEARS[2].days, TRADING_DAYS_SECOND_CYCLE);
    }

    #[test]
    fn the_whole_tonnes_used_agree_with_the_published_surpluses_and_shares() {
        let [first, second, third] = COMPLIANCE;
        assert_eq!(second.issued - second.obligation, 1_470_000);
        assert_eq!(third.issued - third.obligation, 12_980_000);
        assert_eq!(first.unpaid * 1_000, first.obligation * 5);
        assert_eq!((second.unpaid * 10_000 + 5_000) / second.obligation, 39);
        assert_eq!((third.unpaid * 10_000 + 5_000) / third.obligation, 12);
        assert_eq!(second.offset + third.offset, 3_717_400);
        assert_eq!(first.entities + ENTITIES_CLOSED, ENTITIES_LISTED);
        assert_eq!(first.unpaid_entities - second.unpaid_entities, UNPAID_ENTITIES_FEWER);
    }
}
