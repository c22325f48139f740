//! What `cets demo` refuses before it starts anything.

use crate::runner::Desk;

const HEADING: &str = "date,instrument,open,high,low,close,listing_t,listing_cny,block_t,\
                       block_cny,auction_t,auction_cny,total_t,total_cny";

#[test]
fn market_data_that_cannot_be_used_is_refused_with_line_and_column() {
    let desk = Desk::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let row = "2021-07-16,CEA,48.00,52.80,48.00,51.23,4103953,210230053.25,0,0,0,0,4103954,\
               210230053.25";
    std::fs::write(file.path(), format!("{HEADING}\n{row}\n")).unwrap();
    let ran = desk.run(&format!("demo --market-data {}", file.path().display()));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("line 2, column total_t"), "{}", ran.err);
    assert!(ran.out.is_empty());
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kept"), "").unwrap();
    let ran = desk.run(&format!("demo --folder {}", folder.path().display()));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("is not empty"), "{}", ran.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
