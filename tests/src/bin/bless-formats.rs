//! Writes the examples of `docs/formats` and the sample files beside them anew.

fn main() {
    cets_tests::formats::write();
}
