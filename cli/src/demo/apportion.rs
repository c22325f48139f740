//! Splits totals exactly: by weight, with the largest remainders served first.

use super::error::PlanError;

/// `total` split in proportion to `weights`; the parts add up to `total` exactly.
///
/// Each part is the floor or the ceiling of its exact share; equal remainders are served in the
/// order of the list. Without any weight only a total of zero can be split.
pub fn apportion(total: u64, weights: &[u64]) -> Result<Vec<u64>, PlanError> {
    let weight_sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if weight_sum == 0 {
        return if total == 0 { Ok(vec![0; weights.len()]) } else { Err(PlanError::Arithmetic) };
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut rest = total;
    for (index, weight) in weights.iter().enumerate() {
        let exact = u128::from(total).checked_mul(u128::from(*weight));
        let exact = exact.ok_or(PlanError::Arithmetic)?;
        let part = exact.checked_div(weight_sum).ok_or(PlanError::Arithmetic)?;
        let part = u64::try_from(part).map_err(|_| PlanError::Arithmetic)?;
        rest = rest.checked_sub(part).ok_or(PlanError::Arithmetic)?;
        parts.push(part);
        let remainder = exact.checked_rem(weight_sum).ok_or(PlanError::Arithmetic)?;
        remainders.push((core::cmp::Reverse(remainder), index));
    }
    remainders.sort();
    let rest = usize::try_from(rest).map_err(|_| PlanError::Arithmetic)?;
    for (_, index) in remainders.into_iter().take(rest) {
        if let Some(part) = parts.get_mut(index) {
            *part = part.saturating_add(1);
        }
    }
    Ok(parts)
}

/// `total` in so many parts that differ by at most one, the larger ones first.
pub fn even_parts(total: u64, parts: u64) -> Vec<u64> {
    let (Some(part), Some(rest)) = (total.checked_div(parts), total.checked_rem(parts)) else {
        return Vec::new();
    };
    (0..parts).map(|index| part.saturating_add(u64::from(index < rest))).collect()
}

/// `amount * numerator / denominator`, rounded down; zero for a denominator of zero.
pub fn fraction(amount: u64, numerator: u64, denominator: u64) -> u64 {
    u128::from(amount)
        .saturating_mul(u128::from(numerator))
        .checked_div(u128::from(denominator))
        .and_then(|part| u64::try_from(part).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_follow_the_weights() {
        assert_eq!(apportion(10, &[1, 1, 1]), Ok(vec![4, 3, 3]));
        assert_eq!(apportion(100, &[1, 0, 3]), Ok(vec![25, 0, 75]));
        let weights: Vec<u64> = (1..=1_000).map(|weight| weight * weight).collect();
        let parts = apportion(5_096_000_000, &weights).unwrap();
        assert_eq!(parts.iter().sum::<u64>(), 5_096_000_000);
    }

    #[test]
    fn a_total_without_weights_is_refused() {
        assert_eq!(apportion(1, &[0, 0]), Err(PlanError::Arithmetic));
        assert_eq!(apportion(0, &[0, 0]), Ok(vec![0, 0]));
    }

    #[test]
    fn even_parts_differ_by_at_most_one() {
        assert_eq!(even_parts(11, 4), vec![3, 3, 3, 2]);
        assert_eq!(even_parts(11, 0), Vec::<u64>::new());
        assert_eq!(fraction(7, 2, 3), 4);
    }
}
