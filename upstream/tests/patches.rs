//! Patches: what they do, and how they fail.

mod common;

use common::{fork, pins, stock};
use upstream::fork::Fork;
use upstream::items;
use upstream::weave::Layout;
use upstream::{Error, Tree};

/// `demo` with one patch of these edits.
fn patched(edits: &str) -> Result<Tree, Error> {
    fork(edits)?.make("demo", &stock(), &Tree::default(), Layout::Together)
}

fn words(edits: &str) -> String {
    patched(edits).expect_err("it does not fit").to_string()
}

/// The patched `file`, without layout.
fn text(edits: &str, file: &str) -> String {
    let tree = patched(edits).unwrap_or_else(|error| panic!("{error}"));
    tree.text(file).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn anchors_match_by_tokens_and_not_by_layout() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "if self  .running{return false;}"
        op = "insert-after"
        code = "self.count();"
    "#;
    assert!(text(edits, "src/engine.rs").contains("return false; } self.count(); self.speed"));
}

#[test]
fn each_operation_does_what_it_says() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        op = "insert-start"
        code = "first();"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine"
        op = "insert-end"
        code = "fn last() {}"
        [[edit]]
        file = "src/engine.rs"
        item = "struct Engine"
        op = "insert-end"
        code = "extra: u8,"
        [[edit]]
        file = "src/engine.rs"
        item = "enum Mode :: variant Idle"
        op = "insert-after"
        code = "Asleep,"
        [[edit]]
        file = "src/engine.rs"
        item = "enum Mode :: variant Busy :: field load"
        op = "insert-before"
        code = "heat: u8,"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "self.speed = speed;"
        op = "replace"
        code = "self.speed = speed.min(9);"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "self.running = true;"
        op = "remove"
    "#;
    let text = text(edits, "src/engine.rs");
    for part in [
        "-> bool { first(); if self.running",
        "10 } fn last() {} }",
        "running: bool , extra: u8 }",
        "Idle, Asleep, /// Something.",
        "Busy { heat: u8, load: u8 }",
        "self.speed = speed.min(9); log!",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_whole_item_is_replaced_only_when_it_is_the_pinned_one() {
    let edit = |pin: &str| {
        format!(
            "[[edit]]\nfile = \"src/engine.rs\"\nitem = \"fn helper\"\nop = \"replace\"\npin = \
             \"{pin}\"\ncode = \"fn helper() -> u32 {{ 7 }}\""
        )
    };
    let refused = words(&edit("?"));
    let pin = refused.split("its fingerprint is \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(text(&edit(pin), "src/engine.rs").ends_with("fn helper() -> u32 { 7 }"));
}

#[test]
fn twins_are_told_apart_by_their_attributes() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: #[cfg(not(feature = \"fast\"))] fn limit"
        anchor = "10"
        op = "replace"
        code = "20"
    "#;
    let text = text(edits, "src/engine.rs");
    assert!(text.contains("{ 1000 }") && text.contains("{ 20 }"), "{text}");
}

#[test]
fn a_twin_that_is_not_named_is_refused_unless_all_are_meant() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn limit"
        op = "insert-start"
        code = "seen();"
    "#;
    let refused = words(edits);
    assert!(refused.contains("names 2 items"), "{refused}");
    assert!(refused.contains("cfg(feature"), "{refused}");
    let text = text(&format!("{edits}\nall-twins = true"), "src/engine.rs");
    assert_eq!(text.matches("seen();").count(), 2);
}

#[test]
fn anchors_in_macro_arguments_are_found_and_refused_when_ambiguous() {
    let edit = |anchor: &str| {
        format!(
            "[[edit]]\nfile = \"src/engine.rs\"\nitem = \"impl Engine :: fn start\"\nanchor = \
             \"{anchor}\"\nop = \"replace\"\ncode = \"stop => 1\""
        )
    };
    assert!(
        text(&edit("stop => 0"), "src/engine.rs").contains("start => speed, stop => 1 , again")
    );
    let refused = words(&edit("=> speed"));
    assert!(refused.contains("stands 2 times"), "{refused}");
}

#[test]
fn protobuf_is_patched_by_the_same_rules() {
    let edits = r#"
        [[edit]]
        file = "src/wire.proto"
        item = "message Frame :: oneof kind"
        op = "insert-end"
        code = "B b = 1000;"
    "#;
    assert!(text(edits, "src/wire.proto").contains("A a = 1; B b = 1000; }"));
}

#[test]
fn an_edit_that_does_not_fit_names_patch_file_item_anchor_and_the_nearest() {
    let refused = words(
        r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn strat"
        anchor = "self.running = true;"
        op = "remove"
    "#,
    );
    for part in [
        "demo/0001-test.toml, edit 1",
        "src/engine.rs",
        "impl Engine :: fn strat",
        "self.running = true;",
        "no such item",
        "impl Engine :: fn start",
    ] {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    let refused = words(
        r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "self.running = false;"
        op = "remove"
    "#,
    );
    assert!(refused.contains("src/engine.rs:28: self.running = true;"), "{refused}");
}

#[test]
fn a_file_that_upstream_does_not_have_is_named_with_its_namesakes() {
    let refused = words(
        r#"
        [[edit]]
        file = "src/pump.rs"
        item = "fn pump"
        op = "insert-start"
        code = "x();"
    "#,
    );
    assert!(refused.contains("no such file"), "{refused}");
    assert!(refused.contains("src/engine/pump.rs"), "{refused}");
}

#[test]
fn overlapping_edits_are_refused() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "if self.running { return false; }"
        op = "remove"
        [[edit]]
        file = "src/engine.rs"
        item = "impl Engine :: fn start"
        anchor = "return false;"
        op = "insert-before"
        code = "x();"
    "#;
    assert!(matches!(patched(edits), Err(Error::Overlap { .. })));
    let refused = words(edits);
    assert!(refused.contains("edit 1") && refused.contains("edit 2"), "{refused}");
}

#[test]
fn a_patch_that_contradicts_itself_is_refused_with_its_file() {
    let start = "[[edit]]\nfile = \"src/engine.rs\"\nitem = \"fn helper\"\n";
    for (edit, complaint) in [
        ("op = \"insert-start\"\ncod = \"x();\"", "unknown field `cod`"),
        ("op = \"insert-strat\"\ncode = \"x();\"", "unknown variant `insert-strat`"),
        ("op = \"insert-start\"", "`code` is missing"),
        ("op = \"remove\"\nanchor = \"41\"\ncode = \"x();\"", "`remove` takes no `code`"),
        ("op = \"insert-start\"\ncode = \"x(;\"", "unbalanced brackets"),
        ("op = \"insert-after\"\nanchor = \"{ 41\"\ncode = \"x();\"", "balanced brackets"),
        ("op = \"insert-end\"\nanchor = \"41\"\ncode = \"x();\"", "take no `anchor`"),
        ("op = \"replace\"\ncode = \"x();\"", "needs its `pin`"),
        ("op = \"remove\"\npin = \"0\"\nall-twins = true", "write an edit for each"),
        ("op = \"insert-after\"\npin = \"0\"\ncode = \"x();\"", "takes a `pin`"),
    ] {
        let refused = words(&format!("{start}{edit}"));
        assert!(refused.contains("demo/0001-test.toml"), "{refused}");
        assert!(refused.contains(complaint), "{complaint:?} is not in {refused}");
    }
    assert!(words("").contains("missing field `edit`"));
}

#[test]
fn a_wrong_key_or_value_is_shown_in_its_line() {
    for (edits, place, marked, complaint) in [
        (
            "[[edit]]\nfile = \"a\"\ncod = \"b\"",
            "line 5, column 1",
            "5 | cod = \"b\"\n  | ^^^\n",
            "unknown field `cod`, expected one of `file`, `item`",
        ),
        (
            "[[edit]]\nfile = \"é\" \nop = \"move\"",
            "line 5, column 6",
            "5 | op = \"move\"\n  |      ^^^^^^\n",
            "unknown variant `move`, expected one of `insert-before`",
        ),
        (
            "[[edit]]\nfile = 7",
            "line 4, column 8",
            "4 | file = 7\n  |        ^\n",
            "invalid type: integer, expected a string",
        ),
        (
            "[[edit]]\nfile = \"a\"\nop = \"remove\"\nall-twins = 1",
            "line 6, column 13",
            "6 | all-twins = 1\n  |             ^\n",
            "invalid type: integer, expected a boolean",
        ),
        (
            "[[edit]]\nop = \"remove\"",
            "line 3, column 1",
            "3 | [[edit]]\n  | ^^^^^^^^\n",
            "missing field `file`",
        ),
        ("edit = 1", "line 3, column 8", "3 | edit = 1\n", "expected an array of tables"),
        ("[[edit]]\nfile = ", "line 4, column 8", "4 | file = \n", "expected"),
        (
            "[[edit]]\nop = \"a\"\nop = \"b\"",
            "line 5, column 1",
            "5 | op = \"b\"\n",
            "duplicate key",
        ),
    ] {
        let refused = words(edits);
        for part in ["demo/0001-test.toml", place, marked, complaint] {
            assert!(refused.contains(part), "{part:?} is not in {refused}");
        }
    }
}

#[test]
fn a_patch_of_a_crate_that_is_not_pinned_is_refused() {
    let error = Fork::load(&pins(""), &[("demos", "0001.toml", "")]).unwrap_err();
    assert!(matches!(error, Error::UnknownCrate { .. }));
    let words = error.to_string();
    assert!(words.contains("demos/0001.toml") && words.contains("use one of: demo"), "{words}");
    assert!(matches!(
        fork("[[edit]]\nfile = \"a\"\nanchor = \"b\"\nop = \"remove\"")
            .unwrap()
            .stock("unpinned", &Default::default()),
        Err(Error::UnknownCrate { .. })
    ));
}

#[test]
fn pins_with_a_typo_or_a_bad_sum_are_refused() {
    let typo = pins("").replace("sha256", "sha265");
    let words = Fork::load(&typo, &[]).unwrap_err().to_string();
    assert!(words.contains("unknown field `sha265`"), "{words}");
    assert!(words.contains("3 | sha265 = "), "{words}");
    let untyped = pins("\"src/a.rs\" = 1\n");
    let words = Fork::load(&untyped, &[]).unwrap_err().to_string();
    assert!(words.contains("5 | \"src/a.rs\" = 1\n"), "{words}");
    assert!(words.contains("expected a string"), "{words}");
    let none = Fork::load("", &[]).unwrap_err().to_string();
    assert!(none.contains("missing field `crates`"), "{none}");
    let short = "[crates.demo]\nversion = \"1.0.0\"\nsha256 = \"abc\"\n";
    let words = Fork::load(short, &[]).unwrap_err().to_string();
    assert!(words.contains("64 lower-case hexadecimal digits"), "{words}");
}

#[test]
fn a_comma_in_a_comment_separates_nothing() {
    let mut tree = stock();
    let list = "pub struct S {\n a: u8, // one, two\n b: u8 /* not, /* here, */ , */\n}\n";
    tree.insert("src/list.rs", list);
    let edits = r#"
        [[edit]]
        file = "src/list.rs"
        item = "struct S :: field b"
        op = "insert-after"
        code = "c: u8"
        [[edit]]
        file = "src/list.rs"
        item = "struct S"
        op = "insert-end"
        code = "d: u8,"
    "#;
    let made = fork(edits).unwrap().make("demo", &tree, &Tree::default(), Layout::Together);
    let made = made.unwrap();
    let fields = items::parse("src/list.rs", made.text("src/list.rs").unwrap()).unwrap();
    let names: Vec<_> = fields[0].children.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["field a", "field b", "field c", "field d"]);
}

#[test]
fn where_insertions_meet_each_keeps_its_side() {
    let mut tree = stock();
    tree.insert("src/close.rs", "fn a() {}fn b() {}\n");
    let edit = |item: &str, op: &str, code: &str| {
        format!(
            "[[edit]]\nfile = \"src/close.rs\"\nitem = {item:?}\nop = {op:?}\ncode = {code:?}\n"
        )
    };
    let edits = [
        edit("fn b", "insert-before", "fn before_b() {}"),
        edit("fn a", "insert-after", "fn after_a() {}"),
        edit("fn a", "insert-end", "end();"),
        edit("fn a", "insert-start", "start();"),
    ];
    let made =
        fork(&edits.concat()).unwrap().make("demo", &tree, &Tree::default(), Layout::Together);
    let text = made.unwrap().text("src/close.rs").unwrap().to_owned();
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "fn a() { start(); end(); } fn after_a() {} fn before_b() {} fn b() {}"
    );
}

#[test]
fn code_that_ends_in_a_comment_swallows_nothing() {
    let edits = r#"
        [[edit]]
        file = "src/engine.rs"
        item = "fn helper"
        anchor = "41"
        op = "replace"
        code = "7 // seven"
    "#;
    assert!(text(edits, "src/engine.rs").ends_with("{ 7 // seven + 1 }"));
    let tree = patched(edits).unwrap();
    assert!(tree.text("src/engine.rs").unwrap().contains("7 // seven\n"));
}

#[test]
fn a_file_whose_first_bytes_the_parser_drops_is_refused() {
    for start in ["\u{feff}", "#!/usr/bin/env run\n"] {
        let mut tree = stock();
        tree.insert("src/engine.rs", format!("{start}{}", stock().text("src/engine.rs").unwrap()));
        let edits = "[[edit]]\nfile = \"src/engine.rs\"\nitem = \"fn helper\"\nop = \"insert-start\"\ncode = \"x();\"\n";
        let made = fork(edits).unwrap().make("demo", &tree, &Tree::default(), Layout::Together);
        assert!(matches!(made, Err(Error::Syntax { .. })));
    }
}
