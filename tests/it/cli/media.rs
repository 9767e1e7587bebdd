//! `tidegate media` and `tidegate read`, on a simulator.

use tidegate::sim::{Inbound, NumberSpec, Sim, SimConfig};

use super::{Desk, simulator};

/// What an upload said, and the id that it printed.
#[track_caller]
fn upload(desk: &Desk, line: &str, words: &str) -> u64 {
    desk.run(&format!("media upload {line}")).ends_with(0).says(words).out.trim().parse().expect("an id")
}

#[test]
fn a_file_is_uploaded_once_shown_fetched_and_deleted() {
    let sim = simulator();
    let desk = Desk::with(&sim);
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let path = |name: &str| desk.dir.path().join(name);
    std::fs::write(path("offer.pdf"), &bytes).expect("written");
    desk.write("other.txt", "other");
    let id = upload(&desk, "offer.pdf", "is uploaded for number 1001");
    assert_eq!(upload(&desk, "offer.pdf", "was uploaded"), id);
    assert_eq!(upload(&desk, "other.txt --number 1001", "is uploaded"), id + 1, "there was an upload in between");
    let cached = desk.run("media upload offer.pdf --output json").ends_with(0).json();
    assert_eq!((&cached["cached"], &cached["file_size"]), (&true.into(), &300_000.into()));
    let shown = desk.run(&format!("media show {id} --output json")).ends_with(0).json();
    assert_eq!((&shown["mime_type"], &shown["sha256"]), (&"application/pdf".into(), &cached["sha256"]));
    assert!(shown["url"].as_str().is_some_and(|url| url.starts_with(&sim.url())), "{shown}");

    let fetched = desk.run(&format!("media fetch {id}")).ends_with(0).says("300,000 bytes");
    assert_eq!(fetched.out, format!("{id}.pdf\n"));
    assert!(std::fs::read(path(&format!("{id}.pdf"))).expect("it is there") == bytes);
    desk.write("mine", "mine");
    desk.run(&format!("media fetch {id} --out mine")).ends_with(2).says("mine is there already. Overwrite it?");
    assert_eq!(std::fs::read_to_string(path("mine")).expect("it is there"), "mine");
    desk.run(&format!("media fetch {id} --out mine --max-size 100KiB --yes")).ends_with(1).says("at most 102400");
    assert_eq!(std::fs::read_to_string(path("mine")).expect("it is there"), "mine");
    desk.run(&format!("media fetch {id} --out mine --yes")).ends_with(0);
    assert!(std::fs::read(path("mine")).expect("it is there") == bytes);
    assert_eq!(desk.run(&format!("media fetch {} --out -", id + 1)).ends_with(0).out, "other");
    desk.run(&format!("media fetch {id} --out none/mine")).ends_with(1).says("none/mine can't be written");

    desk.run(&format!("media delete {id}")).ends_with(2).says("Delete it?");
    desk.run(&format!("media delete {id} --yes")).ends_with(0).says("is deleted");
    desk.run(&format!("media show {id}")).ends_with(1).says("not found with code 100");
    assert_eq!(upload(&desk, "offer.pdf", "is uploaded"), id + 2, "a deleted file is not known any more");
    assert_eq!(upload(&desk, "offer.pdf --again", "is uploaded"), id + 3);
    let left: Vec<_> =
        std::fs::read_dir(desk.dir.path()).expect("readable").flatten().map(|at| at.file_name()).collect();
    assert_eq!(left.len(), 5, "beside two files, two that were fetched and the ledger's folder: {left:?}");
}

#[test]
fn what_whatsapp_does_not_take_costs_no_request() {
    let sim = simulator();
    let desk = Desk::with(&sim);
    desk.write("a.gif", "GIF89a");
    desk.write("empty.txt", "");
    desk.write("large.png", &"x".repeat((5 << 20) + 1));
    desk.run("media upload a.gif").ends_with(1).says("the type of a.gif is not known by its name");
    desk.run("media upload a.gif --type image/gif")
        .ends_with(1)
        .says("takes no files of type image/gif; it takes image/");
    desk.run("media upload large.png").ends_with(1).says("a file of type image/png has at most 5242880");
    desk.run("media upload empty.txt").ends_with(1).says("the file is empty");
    desk.run("media upload nofile.txt").ends_with(1).says("nofile.txt: the file can't be read");
    desk.run("media upload . --type text/plain").ends_with(1).says("no regular file");
    desk.run("media show ../1001").ends_with(2).says("must be an id of Meta's");
    let stats = sim.oracle().totals();
    assert_eq!((stats.refused, stats.accepted), (0, 0));
    desk.write("a.txt", "a");
    assert_eq!(upload(&desk, "a.txt", "is uploaded"), 700_000_000_000_001, "it is the first");
}

#[test]
fn who_asks_says_for_which_number_and_has_a_token() {
    let sim = Sim::spawn_thread(SimConfig::with_numbers(["1001", "1002"].map(NumberSpec::new))).expect("a free port");
    let mut desk = Desk::with(&sim);
    desk.write("a.txt", "a");
    desk.run("media upload a.txt --number 1009").ends_with(2).says("no number 1009 is known here; known are 1001");
    desk.run("media upload a.txt --number shop").ends_with(2).says("shop is no number; known are 1001");
    desk.run("read wamid.1 --number +15550001009").ends_with(2).says("known are 1001");
    desk.write("two.toml", "[[numbers]]\nid = \"1001\"\n[[numbers]]\nid = \"1002\"\ndisplay = \"+1 555 000 1002\"\n");
    desk.env.retain(|(name, _)| name != "WHATSAPP_PHONE_NUMBER_ID");
    let which = desk.run("--config two.toml media upload a.txt").ends_with(2);
    which.says("say which number, by --number; known are 1001, 1002 (+1 555 000 1002)");
    let first = upload(&desk, "a.txt --config two.toml --number 1001", "for number 1001");
    assert_ne!(upload(&desk, "a.txt --config two.toml --number +15550001002", "for number 1002"), first);
    desk.run(&format!("--config two.toml media show {first} --number 1002")).ends_with(1).says("not found");
    desk.env.retain(|(name, _)| name != "WHATSAPP_ACCESS_TOKEN");
    for line in ["media upload a.txt --number 1001", "read wamid.1 --number 1001"] {
        desk.run(&format!("--config two.toml {line}"))
            .ends_with(1)
            .says("has no access token: set WHATSAPP_ACCESS_TOKEN");
    }
    desk.run("--config two.toml media show 1").ends_with(1).says("there is no access token: set WHATSAPP_ACCESS_TOKEN");
}

#[test]
fn a_customers_message_is_marked_as_read() {
    let sim = simulator();
    let desk = Desk::with(&sim);
    let wamid = sim.say("1001", "+447700900123", &Inbound::text("hello?")).expect("said");
    let marked = desk.run(&format!("read {wamid} --typing --output json")).ends_with(0).json();
    assert_eq!((&marked["number"], &marked["typing"]), (&"1001".into(), &true.into()));
    desk.run(&format!("read {wamid} --number 1001")).ends_with(0);
    assert_eq!(sim.oracle().totals().read_receipts, 2);
    let unknown = desk.run("read wamid.nobody").ends_with(1).says("wamid.nobody was not marked as read by number 1001");
    unknown.says("refused with code 100: Param message_id must be the id of a message that this number received");
    assert_eq!(sim.oracle().totals().read_receipts, 2);
}
