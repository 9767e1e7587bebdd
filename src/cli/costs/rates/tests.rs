//! What a table says, and what it may not say.

use super::*;

fn table(lines: &str) -> Rates {
    Rates::read(format!("market,category,price,currency,from,from_count\n{lines}").as_bytes()).expect("a table")
}

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

/// What messages cost together, by price; `-` where the table is silent.
fn cost(rates: &Rates, place: &str, category: &str, on: &str, (before, count): (u64, u64)) -> String {
    let priced = rates.price(rates.market(place, category), category, day(on), before..before + count);
    let words = priced.iter().map(|priced| {
        let price = priced.price.as_ref().map_or_else(|| "-".to_owned(), |(price, _)| price.to_string());
        format!("{}×{price}", priced.count)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_longest_prefix_wins() {
    let rates = table(
        "44,utility,1,USD,,\n4477,utility,2,USD,,\nDE,utility,3,USD,,\nCA,utility,4,USD,,\n1,utility,5,USD,,\n\
         1416555,utility,6,USD,,\n*,utility,9,USD,,\n",
    );
    for (place, price) in [
        ("+4420794", "1.00"),
        ("+4477009", "2.00"),
        ("+4915123", "3.00"),
        ("+1604555", "4.00"),
        ("+1416555", "6.00"),
        ("+1212555", "5.00"),
        ("GB", "1.00"),
        ("JE", "1.00"),
        ("DE", "3.00"),
        ("CA", "4.00"),
        ("US", "5.00"),
        ("+5511987", "9.00"),
        ("ZZ", "9.00"),
        ("", "9.00"),
    ] {
        assert_eq!(cost(&rates, place, "utility", "2026-11-01", (0, 1)), format!("1×{price}"), "{place}");
    }
    assert_eq!(rates.digits(), 7);
    assert_eq!((table("DE,utility,3,USD,,").digits(), table("*,utility,3,USD,,").digits()), (4, 0));
}

#[test]
fn a_line_for_a_country_is_not_for_others_of_its_calling_code() {
    let rates = table("US,utility,1,USD,,\n");
    assert_eq!(cost(&rates, "+1212", "utility", "2026-11-01", (0, 1)), "1×1.00");
    assert_eq!(cost(&rates, "+1416", "utility", "2026-11-01", (0, 1)), "1×-");
}

#[test]
fn the_rest_is_who_has_no_price_for_the_category() {
    let rates = table("44,utility,1,USD,,\n*,marketing,2,USD,,\n");
    assert_eq!(cost(&rates, "+4477", "marketing", "2026-11-01", (0, 1)), "1×2.00");
    assert_eq!(cost(&rates, "+4477", "service", "2026-11-01", (0, 1)), "1×-");
}

#[test]
fn a_rate_holds_until_the_next_one() {
    let rates = table("44,utility,1,USD,2026-07-01,\n44,utility,2,USD,2026-10-01,\n");
    for (on, price) in [("2026-06-30", "-"), ("2026-07-01", "1.00"), ("2026-09-30", "1.00"), ("2026-10-01", "2.00")] {
        assert_eq!(cost(&rates, "+4477", "utility", on, (0, 3)), format!("3×{price}"), "{on}");
    }
    assert_eq!(cost(&rates, "+4477", "marketing", "2026-10-01", (0, 3)), "3×-");
}

#[test]
fn tiers_begin_at_their_message() {
    let rates = table("44,utility,3,USD,,\n44,utility,2,USD,,101\n44,utility,1,USD,,201\n");
    assert!(rates.has_tiers);
    for (before, count, expected) in [
        (0, 100, "100×3.00"),
        (0, 101, "100×3.00 1×2.00"),
        (99, 2, "1×3.00 1×2.00"),
        (100, 1, "1×2.00"),
        (50, 200, "50×3.00 100×2.00 50×1.00"),
        (500, 7, "7×1.00"),
        (0, 0, ""),
    ] {
        assert_eq!(cost(&rates, "+4477", "utility", "2026-11-01", (before, count)), expected);
    }
    // Below the lowest tier the table is silent.
    assert_eq!(cost(&table("44,utility,2,USD,,11\n"), "+44", "utility", "2026-11-01", (0, 12)), "10×- 2×2.00");
}

#[test]
fn categories_are_written_as_people_and_webhooks_do() {
    let rates = table("44,Authentication-International,1,USD,,\n");
    for category in ["authentication_international", "authentication-international", "AUTHENTICATION-INTERNATIONAL"] {
        assert_eq!(cost(&rates, "+44", category, "2026-11-01", (0, 1)), "1×1.00");
    }
}

#[test]
fn what_is_wrong_is_said_by_line_and_column() {
    let head = "market,category,price,currency\n";
    for (text, said) in [
        (String::new(), "the file is empty"),
        ("market,category,price\n".to_owned(), "line 1: column currency is missing"),
        ("market,category,price,currency,note\n".to_owned(), "line 1: there is no column \"note\""),
        ("market,market,price,currency\n".to_owned(), "line 1: column market stands twice"),
        (format!("{head}44,utility,1,USD\nUK,utility,1,USD\n"), "line 3, market: must be a calling code such as 44"),
        (format!("{head}44,tools,1,USD\n"), "line 2, category: must be one of marketing,"),
        (format!("{head}44,utility,\"1,5\",USD\n"), "line 2, price: must be a decimal such as 0.0535"),
        (format!("{head}44,utility,1\n"), "line 2, currency: must be three capital letters"),
        (format!("{head}44,utility,1,USD\n+44,utility,2,USD\n"), "line 3, market: this market has a price"),
        ("market,category,price,currency,from\n44,utility,1,USD,October\n".to_owned(), "line 2, from: must be a day"),
        ("market,category,price,currency,from_count\n44,utility,1,USD,-1\n".to_owned(), "line 2, from_count: must be"),
    ] {
        let problems = Rates::read(text.as_bytes()).expect_err(said);
        assert!(problems[0].starts_with(said), "{problems:?}\n{said}");
    }
    let many = format!("{head}{}", "x,utility,1,USD\n".repeat(100));
    assert_eq!(Rates::read(many.as_bytes()).expect_err("wrong").len(), 21);
}
