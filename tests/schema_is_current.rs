//! What clients are built against is what the program serves.

#[test]
fn the_committed_schema_is_the_programs() {
    let committed = std::fs::read_to_string("../api/schema.graphql").unwrap();
    let served = api::schema::sdl();
    assert!(
        committed.trim_end() == served.trim_end(),
        "cargo run -p api --bin pms -- schema > api/schema.graphql"
    );
}
