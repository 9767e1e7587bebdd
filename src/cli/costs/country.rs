//! Which country a recipient is in: by the first digits of a phone number, or as a business-scoped id says.
//!
//! As Meta's markets go: who shares another country's calling code, and no digits tell them apart, belongs to it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Countries (ISO 3166-1) by calling codes (ITU-T E.164, list of 2016-12-15 with its amendments); +1 and +7 by the
/// digits that follow (North American Numbering Plan, area codes in use in 2025). The first code is the main one.
const CODES: &str = "AC 247;AD 376;AE 971;AF 93;AG 1268;AI 1264;AL 355;AM 374;AO 244;AR 54;AS 1684;AT 43;AU 61;AW 297;\
AZ 994;BA 387;BB 1246;BD 880;BE 32;BF 226;BG 359;BH 973;BI 257;BJ 229;BM 1441;BN 673;BO 591;BQ 599;BR 55;BS 1242;\
BT 975;BW 267;BY 375;BZ 501;CA 1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 1368 1382 1387 1403 \
1416 1418 1428 1431 1437 1438 1450 1460 1468 1474 1506 1514 1519 1537 1548 1568 1579 1581 1584 1587 1600 1604 1613 \
1622 1633 1639 1644 1647 1655 1672 1677 1683 1688 1705 1709 1742 1753 1778 1780 1782 1807 1819 1825 1867 1873 1879 \
1902 1905 1942;CD 243;CF 236;CG 242;CH 41;CI 225;CK 682;CL 56;CM 237;CN 86;CO 57;CR 506;CU 53;CV 238;CW 5999;CY 357;\
CZ 420;DE 49;DJ 253;DK 45;DM 1767;DO 1809 1829 1849;DZ 213;EC 593;EE 372;EG 20;ER 291;ES 34;ET 251;FI 358;FJ 679;\
FK 500;FM 691;FO 298;FR 33;GA 241;GB 44;GD 1473;GE 995;GF 594;GH 233;GI 350;GL 299;GM 220;GN 224;GP 590;GQ 240;GR 30;\
GT 502;GU 1671;GW 245;GY 592;HK 852;HN 504;HR 385;HT 509;HU 36;ID 62;IE 353;IL 972;IN 91;IO 246;IQ 964;IR 98;IS 354;\
IT 39;JM 1876 1658;JO 962;JP 81;KE 254;KG 996;KH 855;KI 686;KM 269;KN 1869;KP 850;KR 82;KW 965;KY 1345;KZ 77 76;\
LA 856;LB 961;LC 1758;LI 423;LK 94;LR 231;LS 266;LT 370;LU 352;LV 371;LY 218;MA 212;MC 377;MD 373;ME 382;MG 261;\
MH 692;MK 389;ML 223;MM 95;MN 976;MO 853;MP 1670;MQ 596;MR 222;MS 1664;MT 356;MU 230;MV 960;MW 265;MX 52;MY 60;\
MZ 258;NA 264;NC 687;NE 227;NF 672;NG 234;NI 505;NL 31;NO 47;NP 977;NR 674;NU 683;NZ 64;OM 968;PA 507;PE 51;PF 689;\
PG 675;PH 63;PK 92;PL 48;PM 508;PR 1787 1939;PS 970;PT 351;PW 680;PY 595;QA 974;RE 262;RO 40;RS 381;RU 7;RW 250;\
SA 966;SB 677;SC 248;SD 249;SE 46;SG 65;SH 290;SI 386;SK 421;SL 232;SM 378;SN 221;SO 252;SR 597;SS 211;ST 239;SV 503;\
SX 1721;SY 963;SZ 268;TC 1649;TD 235;TG 228;TH 66;TJ 992;TK 690;TL 670;TM 993;TN 216;TO 676;TR 90;TT 1868;TV 688;\
TW 886;TZ 255;UA 380;UG 256;US 1;UY 598;UZ 998;VC 1784;VE 58;VG 1284;VI 1340;VN 84;VU 678;WF 681;WS 685;XK 383;\
YE 967;ZA 27;ZM 260;ZW 263";

/// Countries whose phone numbers are another's: of these only business-scoped ids can be told.
const WITHOUT_CODE: &str = "AX 358;BL 590;CC 61;CX 61;EH 212;GG 44;IM 44;JE 44;MF 590;SJ 47;VA 39;YT 262";

/// So many digits tell every country of the table.
pub const DIGITS: u32 = 4;

struct Atlas {
    by_code: BTreeMap<&'static str, &'static str>,
    main_code: BTreeMap<&'static str, &'static str>,
}

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| {
    let mut atlas = Atlas { by_code: BTreeMap::new(), main_code: BTreeMap::new() };
    for country in CODES.split(';') {
        let (name, codes) = country.split_once(' ').expect("each country has a code");
        for code in codes.split(' ') {
            atlas.by_code.insert(code, name);
            atlas.main_code.entry(name).or_insert(code);
        }
    }
    for country in WITHOUT_CODE.split(';') {
        atlas.main_code.extend(country.split_once(' '));
    }
    atlas
});

/// The country of a phone number's first digits, and how many of them say so.
pub fn of_digits(digits: &str) -> Option<(&'static str, usize)> {
    let longest = digits.len().min(DIGITS as usize);
    (1..=longest).rev().find_map(|length| Some((*ATLAS.by_code.get(digits.get(..length)?)?, length)))
}

/// The country that is called so, with its main calling code.
pub fn named(name: &str) -> Option<(&'static str, &'static str)> {
    ATLAS.main_code.get_key_value(name).map(|(name, code)| (*name, *code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_tell_the_country() {
        let cases = [
            ("4477", Some(("GB", 2))),
            ("1212", Some(("US", 1))),
            ("1416", Some(("CA", 4))),
            ("1849", Some(("DO", 4))),
            ("7916", Some(("RU", 1))),
            ("7701", Some(("KZ", 2))),
            ("5999", Some(("CW", 4))),
            ("5993", Some(("BQ", 3))),
            ("9715", Some(("AE", 3))),
            ("999", None),
            ("", None),
        ];
        for (digits, expected) in cases {
            assert_eq!(of_digits(digits), expected, "{digits}");
        }
    }

    #[test]
    fn the_table_agrees_with_the_calling_codes_of_holds() {
        for (code, country) in &ATLAS.by_code {
            let phone = format!("+{code}00000000");
            let held = crate::graph::calling_code::of(&phone).expect("a phone number");
            assert!(phone[1..].starts_with(held), "{country}");
            assert!(code.len() <= held.len() || code.starts_with(held), "{country} {code} {held}");
            assert!(code.len() <= DIGITS as usize, "{country}");
        }
        assert!(ATLAS.by_code.len() > 280 && ATLAS.main_code.len() > 240, "{}", ATLAS.main_code.len());
    }

    #[test]
    fn a_country_has_a_main_code() {
        assert_eq!(named("CA"), Some(("CA", "1204")));
        assert_eq!(named("JE"), Some(("JE", "44")));
        assert_eq!((named("ZZ"), named("gb")), (None, None));
    }
}
