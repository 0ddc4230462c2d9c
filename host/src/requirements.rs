//! What several ask for, at once.

use crate::bindings::sdk::exports::bandpass::sdk::verification::{Demand, Requirements};
use crate::error::{Code, Error};

impl Requirements {
    /// What meets both: of each the stricter, of lists all. That something is `not-required` weakens nothing that the other
    /// asks for, by profile or in so many words.
    ///
    /// # Errors
    /// `plugin.requirements` if the two name different presentations for `same_holder_as`, for only one can be named.
    pub fn and(&self, other: &Self) -> Result<Self, Error> {
        let same_holder_as = match (&self.same_holder_as, &other.same_holder_as) {
            (Some(one), Some(another)) if one != another => {
                let message = "two presentations are named that are to have the same holder as a third";
                return Err(Error::host(Code::PluginRequirements, message));
            }
            (one, another) => one.as_ref().or(another.as_ref()).cloned(),
        };
        Ok(Self {
            holder: stricter(self.holder, other.holder),
            status: stricter(self.status, other.status),
            approval: stricter(self.approval, other.approval),
            methods: united(&self.methods, &other.methods),
            worn: stricter(self.worn, other.worn),
            unlocked: stricter(self.unlocked, other.unlocked),
            unlocked_within: smaller(self.unlocked_within, other.unlocked_within),
            confirmed: stricter(self.confirmed, other.confirmed),
            distance_mm: smaller(self.distance_mm, other.distance_mm),
            claims: united(&self.claims, &other.claims),
            age_at_least: self.age_at_least.max(other.age_at_least),
            same_holder_as,
        })
    }
}

fn stricter(one: Demand, another: Demand) -> Demand {
    match (one, another) {
        (Demand::Required, _) | (_, Demand::Required) => Demand::Required,
        (Demand::ByProfile, _) | (_, Demand::ByProfile) => Demand::ByProfile,
        (Demand::NotRequired, Demand::NotRequired) => Demand::NotRequired,
    }
}

fn smaller(one: Option<u32>, another: Option<u32>) -> Option<u32> {
    one.into_iter().chain(another).min()
}

fn united<T: Clone + PartialEq>(one: &[T], another: &[T]) -> Vec<T> {
    let mut all = one.to_vec();
    all.extend(another.iter().filter(|asked| !one.contains(asked)).cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PathSegment;

    #[test]
    fn of_two_demands_the_stricter_counts() {
        use Demand::{ByProfile, NotRequired, Required};
        for (one, another, both) in [
            (NotRequired, NotRequired, NotRequired),
            (NotRequired, ByProfile, ByProfile),
            (NotRequired, Required, Required),
            (ByProfile, ByProfile, ByProfile),
            (ByProfile, Required, Required),
            (Required, Required, Required),
        ] {
            assert_eq!(stricter(one, another), both);
            assert_eq!(stricter(another, one), both);
        }
    }

    #[test]
    fn every_member_is_held_against_the_other() {
        let path = |key: &str| vec![PathSegment::Key(key.into())];
        let strict = Requirements {
            holder: Demand::Required,
            status: Demand::Required,
            approval: Demand::Required,
            methods: vec!["face".into(), "pin".into()],
            worn: Demand::Required,
            unlocked: Demand::Required,
            unlocked_within: Some(60),
            confirmed: Demand::Required,
            distance_mm: Some(100),
            claims: vec![path("sub"), path("given_name")],
            age_at_least: Some(18),
            same_holder_as: Some("ticket".into()),
        };
        let lax = Requirements {
            holder: Demand::NotRequired,
            status: Demand::NotRequired,
            approval: Demand::NotRequired,
            methods: vec!["pin".into()],
            worn: Demand::NotRequired,
            unlocked: Demand::NotRequired,
            unlocked_within: Some(600),
            confirmed: Demand::NotRequired,
            distance_mm: Some(1_000),
            claims: vec![path("sub")],
            age_at_least: Some(16),
            same_holder_as: Some("ticket".into()),
        };
        for other in [&strict, &lax, &Requirements::default()] {
            assert_eq!(strict.and(other).expect("both"), strict);
        }
        let both = lax.and(&strict).expect("both");
        assert_eq!(both.methods, ["pin", "face"]);
        assert_eq!(both.claims, [path("sub"), path("given_name")]);
        assert_eq!(Requirements { methods: strict.methods.clone(), claims: strict.claims.clone(), ..both }, strict);
        // By profile is more than not required, so nothing is waived by one side alone.
        let profile = lax.and(&Requirements::default()).expect("both");
        assert_eq!((profile.approval, profile.worn), (Demand::ByProfile, Demand::ByProfile));
        assert_eq!(profile.unlocked_within, Some(600));
        let other = Requirements { same_holder_as: Some("access".into()), ..lax };
        assert_eq!(strict.and(&other).expect_err("no").code(), "plugin.requirements");
    }
}
