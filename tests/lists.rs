//! The contract of all lists, through GraphQL: pages, cursors, filters and distinct values.

use crate::support::actors::{Makers, Market, partner, policy_manager, provider};
use crate::support::http::{App, Caller};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A list, and what its rows can be sorted by.
struct List {
    name: String,
    keys: Vec<String>,
}

/// The types of the schema by their names.
async fn types(app: &App) -> BTreeMap<String, Value> {
    let query = "{ __schema { types { name enumValues { name } inputFields { name type { ...T } }
        fields { name type { ...T } args { name type { ...T } } } } } }
        fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    let schema = app.admin().asks(query, json!({})).await;
    let types = schema.data()["__schema"]["types"].as_array().unwrap().clone();
    types.into_iter().map(|it| (it["name"].as_str().unwrap().to_owned(), it)).collect()
}

async fn lists(app: &App) -> Vec<List> {
    let types = types(app).await;
    let list = |field: &Value| {
        let args = field["args"].as_array().unwrap();
        let order = args.iter().find(|arg| arg["name"] == "orderBy")?["type"]["name"].as_str()?;
        let field_of = types[order]["inputFields"].as_array().unwrap();
        let sort = field_of.iter().find(|it| it["name"] == "field").unwrap();
        let sort = sort["type"]["ofType"]["name"].as_str().unwrap();
        let keys = types[sort]["enumValues"].as_array().unwrap().iter();
        let keys = keys.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        Some(List { name: field["name"].as_str().unwrap().to_owned(), keys })
    };
    let lists: Vec<List> =
        types["Query"]["fields"].as_array().unwrap().iter().filter_map(list).collect();
    assert_eq!(lists.len(), 13);
    lists
}

/// A page of ids, and the cursors of its first and last row.
async fn page(caller: &Caller<'_>, list: &str, arguments: &str) -> (Vec<String>, Value, bool) {
    let query = format!(
        "{{ {list}({arguments}) {{ nodes {{ id }} pageInfo {{ startCursor endCursor hasNextPage \
         hasPreviousPage }} }} }}"
    );
    let answer = caller.asks(&query, json!({})).await;
    let page = &answer.data()[list];
    let ids = page["nodes"].as_array().unwrap().iter();
    let ids = ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    let forwards = arguments.contains("first");
    let more = if forwards { "hasNextPage" } else { "hasPreviousPage" };
    let cursor = if forwards { "endCursor" } else { "startCursor" };
    (ids, page["pageInfo"][cursor].clone(), page["pageInfo"][more] == true)
}

/// All ids of a list, read in pages of three from its beginning, or from its end.
async fn pages(caller: &Caller<'_>, list: &str, order: &str, forwards: bool) -> Vec<String> {
    let (count, from) = if forwards { ("first: 3", "after") } else { ("last: 3", "before") };
    let mut arguments = format!("{order}, {count}");
    let mut all = Vec::new();
    loop {
        let (ids, cursor, more) = page(caller, list, &arguments).await;
        if forwards {
            all.extend(ids);
        } else {
            all.splice(0..0, ids);
        }
        if !more {
            return all;
        }
        arguments = format!("{order}, {count}, {from}: {cursor}");
    }
}

fn order(key: &str, direction: &str) -> String {
    format!("orderBy: {{field: {key}, direction: {direction}}}")
}

#[tokio::test]
async fn in_every_order_and_from_both_ends_pages_make_up_the_whole_list() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.busy_day(&app.node).await;
    market.lets_in(&provider(&app.node, "carl"), None).await;
    let admin = app.admin();
    for List { name, keys } in lists(&app).await {
        for key in keys {
            let (up, down) = (order(&key, "ASC"), order(&key, "DESC"));
            let (mut whole, _, more) = page(&admin, &name, &format!("{up}, first: 200")).await;
            assert!(!whole.is_empty() && !more, "{name} {key}");
            assert_eq!(pages(&admin, &name, &up, true).await, whole, "{name} {key}");
            assert_eq!(pages(&admin, &name, &up, false).await, whole, "{name} {key}");
            whole.reverse();
            assert_eq!(pages(&admin, &name, &down, true).await, whole, "{name} {key}");
        }
    }
}

#[tokio::test]
async fn what_stays_is_read_once_while_rows_are_added_and_change() {
    let app = App::start().await;
    let manager = policy_manager(&app.node);
    for name in ["a", "b", "c", "d", "e"] {
        manager.creates_group(name).await.unwrap();
    }
    let (admin, order) = (app.admin(), order("STATUS", "ASC")); // all are equal
    let (before, _, _) = page(&admin, "policyGroups", &format!("{order}, first: 200")).await;
    let (mut read, mut after, mut turn) = (Vec::new(), Value::Null, 0);
    loop {
        let arguments = format!("{order}, first: 2, after: {after}");
        let (ids, cursor, more) = page(&admin, "policyGroups", &arguments).await;
        read.extend(ids);
        if !more {
            break;
        }
        (after, turn) = (cursor, turn + 1);
        manager.creates_group(&format!("new {turn}")).await.unwrap();
        manager.renames_group(&read[1], &format!("renamed {turn}")).await.unwrap();
        if turn == 1 {
            manager.closes_group(&before[0]).await.unwrap(); // the row of the page before moves
        }
    }
    let seen = |id: &String| read.iter().filter(|it| *it == id).count();
    assert!(before[1..].iter().all(|id| seen(id) == 1), "{before:?} {read:?}");
}

#[tokio::test]
async fn no_cursor_can_do_harm() {
    let app = App::start().await;
    Market::open(&app.node).await.busy_day(&app.node).await;
    let admin = app.admin();
    let forged = |cursor: &Value| BASE64_URL_SAFE_NO_PAD.encode(cursor.to_string());
    let mut foreign = String::new();
    for List { name, keys } in lists(&app).await {
        for key in keys {
            let order = order(&key, "ASC");
            let asks = async |from: &str, cursor: &str| {
                let count = if from == "after" { "first" } else { "last" };
                let query = format!(
                    "query($cursor: String) {{ {name}({order}, {count}: 2, {from}: $cursor) \
                     {{ nodes {{ id }} }} }}"
                );
                admin.asks(&query, json!({"cursor": cursor})).await
            };
            let (_, cursor, _) = page(&admin, &name, &format!("{order}, first: 1")).await;
            let cursor = cursor.as_str().unwrap();
            let good = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap();
            let good: Value = serde_json::from_slice(&good).unwrap();
            let told: Vec<&String> = good.as_object().unwrap().keys().collect();
            assert_eq!(told, ["id", "key", "list"], "a cursor tells nothing else");
            let with = |field: &str, value: Value| {
                let mut bad = good.clone();
                bad[field] = value;
                forged(&bad)
            };
            let of_another_kind = if good["key"].is_number() { json!("1") } else { json!(1) };
            let bad = [
                foreign.clone(),
                cursor[..cursor.len() - 2].to_owned(),
                format!("{cursor}\u{0}"),
                with("key", of_another_kind),
                with("key", Value::Null),
                with("key", json!([])),
                with("key", json!("\u{0}")),
                with("id", json!("\u{0}")),
                with("list", json!("consent At Asc")),
            ];
            for bad in bad.iter().filter(|bad| !bad.is_empty()) {
                for from in ["after", "before"] {
                    let finding = format!("{from}: CURSOR_INVALID");
                    assert_eq!(asks(from, bad).await.findings(), [finding], "{name} {key} {bad}");
                }
            }
            for key in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "infinity", "'", ""] {
                let told = asks("after", &with("key", json!(key))).await;
                assert!(told.codes().is_empty() || told.codes() == ["CURSOR_INVALID"], "{name}");
            }
            foreign = cursor.to_owned();
        }
    }
}

/// Every value that an argument of this type can be given in place of a text.
fn texts(types: &BTreeMap<String, Value>, of: &Value, text: &str) -> Vec<String> {
    match (of["kind"].as_str().unwrap(), of["name"].as_str()) {
        ("NON_NULL", _) => texts(types, &of["ofType"], text),
        ("LIST", _) => {
            texts(types, &of["ofType"], text).iter().map(|it| format!("[{it}]")).collect()
        }
        (_, Some("String" | "ID")) => vec![format!("\"{text}\"")],
        ("INPUT_OBJECT", Some(name)) => {
            let fields = types[name]["inputFields"].as_array().unwrap().iter();
            let field = |field: &Value| {
                let inner = texts(types, &field["type"], text).into_iter();
                let name = field["name"].as_str().unwrap().to_owned();
                inner.map(move |it| format!("{{{name}: {it}}}")).collect::<Vec<_>>()
            };
            fields.flat_map(field).collect()
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_question_with_a_character_that_nothing_contains_is_refused() {
    let app = App::start().await;
    let types = types(&app).await;
    let admin = app.admin();
    let mut asked = 0;
    for field in types["Query"]["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let args = field["args"].as_array().unwrap();
        for arg in args {
            for value in texts(&types, &arg["type"], "a\\u0000b") {
                let needed =
                    args.iter().filter(|it| *it != arg && it["type"]["kind"] == "NON_NULL");
                let needed = needed.filter_map(|it| {
                    let some = texts(&types, &it["type"], "some");
                    Some(format!(", {}: {}", it["name"].as_str()?, some.first()?))
                });
                let query = format!(
                    "{{ {name}({}: {value}{}) {{ __typename }} }}",
                    arg["name"].as_str().unwrap(),
                    needed.collect::<String>()
                );
                let told = admin.asks(&query, json!({})).await;
                assert!(!told.codes().contains(&"INTERNAL_ERROR"), "{query}: {:?}", told.body);
                asked += 1;
            }
        }
    }
    assert!(asked > 150, "{asked}");
    for query in [
        "{ partner(id: \"a\\u0000b\") { id } }",
        "{ apiKey(id: \"a\\u0000b\") { id } }",
        "{ partners(filter: {partnerId: {contains: \"a\\u0000b\"}}) { nodes { id } } }",
        "{ policies(filter: {policyGroupId: [\"a\\u0000b\"]}) { totalCount } }",
        "{ history(filter: {actor: \"a\\u0000b\"}) { nodes { at } } }",
        "{ search(text: \"a\\u0000b\") { id } }",
    ] {
        assert_eq!(admin.asks(query, json!({})).await.codes(), ["CONTROL_CHARACTER"], "{query}");
    }
}

#[tokio::test]
async fn a_text_to_look_for_has_its_limit() {
    let app = App::start().await;
    let query = "query($t: String) { partners(filter: {organizationName: {contains: $t}})
        { totalCount } }";
    let asks = async |text: String| app.admin().asks(query, json!({"t": text})).await;
    assert_eq!(asks("ü".repeat(257)).await.findings(), ["filter: TOO_LONG"]);
    assert_eq!(asks("ü".repeat(256)).await.data()["partners"]["totalCount"], 0);
    assert_eq!(asks("%".to_owned()).await.data()["partners"]["totalCount"], 0);
}

#[tokio::test]
async fn drop_down_filters_are_filled_from_what_the_caller_sees() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let second = partner(&app.node, "bob");
    market.welcome(&second).await;
    market.admin.suspends(&second.partner).await.unwrap();
    market.lets_in(&provider(&app.node, "carl"), None).await;
    let query = "query($filter: PartnerFilter, $first: Int) { partners(filter: $filter) {
        types: distinctValues(field: PARTNER_TYPE, first: $first) { value count }
        states: distinctValues(field: STATUS) { value count }
        groups: distinctValues(field: POLICY_GROUP_ID) { value count } } }";
    let asks = async |caller: Caller<'_>, variables: Value| {
        caller.asks(query, variables).await.data()["partners"].clone()
    };
    let value = |value: &str, count: i32| json!({"value": value, "count": count});
    let all = asks(app.admin(), json!({})).await;
    assert_eq!(all["types"], json!([value("AUTH_PARTNER", 2), value("MISP_PARTNER", 1)]));
    assert_eq!(all["states"], json!([value("ACTIVE", 2), value("SUSPENDED", 1)]));
    assert_eq!(all["groups"], json!([value(&market.group, 2)]), "carl has none");
    let first = asks(app.admin(), json!({"first": 1})).await;
    assert_eq!(first["types"], json!([value("AUTH_PARTNER", 2)]));
    let filter = json!({"filter": {"status": ["SUSPENDED"]}});
    assert_eq!(asks(app.admin(), filter).await["types"], json!([value("AUTH_PARTNER", 1)]));
    let own = asks(app.partner("bob"), json!({})).await;
    assert_eq!(own["states"], json!([value("SUSPENDED", 1)]));
    assert_eq!(asks(app.partner("stranger"), json!({})).await["states"], json!([]));
    for first in [0, 201] {
        let refused = app.admin().asks(query, json!({"first": first})).await;
        assert_eq!(refused.findings(), ["first: PAGE_SIZE"]);
    }
}

#[tokio::test]
async fn partners_are_found_by_their_group_and_their_certificate() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.lets_in(&provider(&app.node, "carl"), None).await;
    partner(&app.node, "bob").registers(&market.group).await.unwrap();
    let group = "select name from read.policy_group where id = (select policy_group_id \
                 from read.partner where id = 'alice-co')";
    let group: String = app.installation.database.ask(group).await;
    let asks = async |filter: Value| {
        let query = "query($filter: PartnerFilter) { partners(filter: $filter,
            orderBy: {field: ID, direction: ASC}) { totalCount nodes { id } } }";
        let told = app.admin().asks(query, json!({"filter": filter})).await;
        let nodes = told.data()["partners"]["nodes"].as_array().unwrap().clone();
        assert_eq!(told.data()["partners"]["totalCount"], nodes.len());
        nodes.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(asks(json!({"hasPolicyGroup": false})).await, "carl-co");
    assert_eq!(asks(json!({"policyGroupName": {"equals": group}})).await, "alice-co bob-co");
    assert_eq!(asks(json!({"certificateStatus": ["MISSING"]})).await, "bob-co");
    assert_eq!(asks(json!({"certificateStatus": ["CURRENT"]})).await, "alice-co carl-co");
    assert_eq!(asks(json!({"certificateStatus": []})).await, "");
    let soon = "update read.partner set certificate_expires_at = now() + interval '9 days' \
                where id = 'carl-co'";
    app.installation.database.as_owner(soon).await;
    assert_eq!(asks(json!({"expiresWithinDays": 10})).await, "carl-co");
    assert_eq!(asks(json!({"expiresWithinDays": 8})).await, "");
    let over = "update read.partner set certificate_expires_at = now() - interval '9 days' \
                where id = 'carl-co'";
    app.installation.database.as_owner(over).await;
    assert_eq!(asks(json!({"expiresWithinDays": 10})).await, "", "it has ended");
    let both = json!({"certificateStatus": ["EXPIRED", "MISSING"]});
    assert_eq!(asks(both).await, "bob-co carl-co");
    for days in [0, 366] {
        let query =
            format!("{{ partners(filter: {{expiresWithinDays: {days}}}) {{ totalCount }} }}");
        let refused = app.admin().asks(&query, json!({})).await;
        assert_eq!(refused.findings(), ["filter.expiresWithinDays: DAYS_OUT_OF_RANGE"]);
    }
}

#[tokio::test]
async fn expired_interfaces_are_told_apart() {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    makers.live_sbi("1.0").await;
    makers.live_sbi("2.0").await;
    let over = "update read.sbi set sw_expiry_date_time = now() - interval '1 day' \
                where sw_version = '1.0'";
    app.installation.database.as_owner(over).await;
    for (expired, version) in [(true, "1.0"), (false, "2.0")] {
        let query =
            format!("{{ sbis(filter: {{expired: {expired}}}) {{ nodes {{ swVersion }} }} }}");
        let told = app.admin().asks(&query, json!({})).await;
        assert_eq!(told.data()["sbis"]["nodes"], json!([{"swVersion": version}]));
    }
}

#[tokio::test]
async fn history_is_read_from_either_end() {
    let app = App::start().await;
    Market::open(&app.node).await.busy_day(&app.node).await;
    let query = "query($filter: HistoryFilter, $direction: Direction, $after: String) {
        history(filter: $filter, direction: $direction, first: 20, after: $after) {
            nodes { position at } pageInfo { hasNextPage endCursor } } }";
    let all = async |filter: &Value, direction: &str| {
        let (mut all, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({"filter": filter, "direction": direction, "after": after});
            let told = app.admin().asks(query, variables).await;
            let page = &told.data()["history"];
            all.extend(page["nodes"].as_array().unwrap().clone());
            if page["pageInfo"]["hasNextPage"] == false {
                return all;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    };
    let oldest_first = all(&json!({}), "ASC").await;
    let position = |it: &Value| it["position"].as_str().unwrap().parse::<i64>().unwrap();
    assert!(oldest_first.len() > 100 && oldest_first.is_sorted_by_key(position));
    let mut newest_first = all(&json!({}), "DESC").await;
    newest_first.reverse();
    assert_eq!(newest_first, oldest_first);

    let [from, to] = [&oldest_first[10]["at"], &oldest_first[20]["at"]];
    let within = all(&json!({"from": from, "to": to}), "ASC").await;
    let at = |it: &Value| it["at"].as_str().unwrap().to_owned();
    let expected = oldest_first.iter().filter(|it| at(it) >= at(&oldest_first[10]));
    let expected: Vec<Value> =
        expected.filter(|it| at(it) < at(&oldest_first[20])).cloned().collect();
    assert!(!expected.is_empty());
    assert_eq!(within, expected);
    let later = commands::now() + TimeDelta::hours(1);
    assert!(all(&json!({"from": later}), "DESC").await.is_empty());
    assert_eq!(all(&json!({"to": later}), "DESC").await.len(), oldest_first.len());
}
