"""`--llmval-plan` says what would be asked and runs nothing."""


def test_the_plan_counts_requests_blocks_tokens_and_records(shop, distribution):
    """A dry run: no test, no answer, no folder."""
    result = shop.run(*distribution, "--llmval-plan")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "llmval: plan; no test is run and no model is asked",
            "version *case set *requests *blocks *recorded *prompt tokens *output tokens *at most *USD",
            "new *qa@* *60 *2 *0 *180 *3,840 *3,840 *0",
            "old *qa@* *60 *2 *0 *180 *3,840 *3,840 *0",
            "all *120 *4 *0 *360 *7,680 *7,680 *0",
        ]
    )
    result.stdout.no_fnmatch_line("*passed*")
    assert not (shop.path / ".llmval").exists()


def test_what_is_recorded_already_costs_nothing(shop):
    """After a run all blocks are recorded."""
    shop.run()

    result = shop.run("--llmval-plan")

    result.stdout.fnmatch_lines(["all *120 *4 *4 *0 *0 *0 *0"])


def test_only_selected_items_are_planned(shop):
    """Without the gate the baseline is not asked."""
    result = shop.run("--llmval-plan", "-k", "each")

    result.stdout.no_fnmatch_line("old *")


def test_without_a_version_the_plan_says_so(shop):
    """Nothing would be asked."""
    shop.run("--llmval-plan", versions=()).stdout.fnmatch_lines(["llmval: no model version is named*"])
