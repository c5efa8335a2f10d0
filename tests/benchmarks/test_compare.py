"""The table has medians, and says what Kairos is in relation to each of the others."""

from benchmarks.load.compare import Figures, row, rows

KAIROS = [Figures(1000.0, 30.0, 2.0, 30.0), Figures(500.0, 60.0, 4.0, 31.0), Figures(1200.0, 28.0, 2.0, 32.0)]
NGINX = [Figures(2000.0, 15.0, 1.0, 10.0), Figures(1000.0, 30.0, 2.0, 10.0), Figures(2000.0, 20.0, 1.0, 10.0)]
ROUNDS = {"kairos": KAIROS, "nginx": NGINX}


def test_kairos_is_not_compared_with_itself() -> None:
    assert row("small", "kairos", ROUNDS) == ["small", "kairos", "1,000", "30.0", "2.00", "31.0", "", "", ""]


def test_others_are_compared_round_by_round() -> None:
    assert row("small", "nginx", ROUNDS) == [
        *("small", "nginx", "2,000", "20.0", "1.00", "10.0"),
        *("2.00 (1.40-2.00)", "0.50 (0.50-0.60)", "2.00 (2.00-2.00)"),
    ]


def test_each_scenario_has_a_row_for_each_proxy() -> None:
    found = rows({"small": ROUNDS, "1m": ROUNDS})

    assert [cells[:2] for cells in found] == [
        ["small", "kairos"], ["small", "nginx"], ["1m", "kairos"], ["1m", "nginx"]
    ]


def test_what_nobody_has_looked_at_is_left_out() -> None:
    rounds = {"kairos": [Figures(900.0, 30.0, None, 30.0)], "nginx": [Figures(1000.0, 20.0, None, 10.0)]}

    assert row("handshakes", "nginx", rounds) == [
        *("handshakes", "nginx", "1,000", "20.0", "", "10.0"),
        *("1.50 (1.50-1.50)", "0.90 (0.90-0.90)", ""),
    ]
