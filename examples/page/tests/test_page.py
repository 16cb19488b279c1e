"""The page of the examples in a real browser: it is live, with each framework behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from examples.page.tests.conftest import Served

    Opening: TypeAlias = Callable[[str], Page]

expect.set_options(timeout=30_000)


def stock(page: Page, product: str) -> int:
    return int(page.locator(f"[data-product={product}] .stock").inner_text())


def test_what_is_bought_in_one_page_is_seen_in_another(shop: Served, open_page: Opening) -> None:
    here, there = open_page(shop.url), open_page(shop.url)
    left = stock(there, "tea")
    form = here.locator("[data-product=tea] .order")
    form.locator("[name=quantity]").fill("3")
    form.get_by_role("button", name="buy").click()
    expect(here.locator("#answer")).to_have_text("you bought 3 x tea")
    for page in (here, there):
        expect(page.locator("#news li").first).to_have_text("3 x tea sold")
        expect(page.locator("[data-product=tea] .stock")).to_have_text(str(left - 3))


def test_more_than_there_is_is_not_sold(shop: Served, open_page: Opening) -> None:
    page = open_page(shop.url)
    form = page.locator("[data-product=kettle] .order")
    form.locator("[name=quantity]").fill("1000")
    form.get_by_role("button", name="buy").click()
    expect(page.locator("#answer")).to_have_text("there are not 1000 x kettle left")
    expect(page.locator("#news li")).to_have_count(0)


def test_the_page_calls_the_shop(shop: Served, open_page: Opening) -> None:
    page = open_page(shop.url)
    price = page.locator("[data-product=teapot] .price").inner_text()
    page.locator("[data-product=teapot] .ask").click()
    expect(page.locator("#answer")).to_have_text(f"the shop says: a teapot costs {price}")


def test_what_arrives_later_is_seen(shop: Served, open_page: Opening) -> None:
    page = open_page(shop.url)
    left = stock(page, "kettle")
    page.locator("[data-product=kettle] .deliver button").click()
    expect(page.locator("#answer")).to_have_text("more kettle is on its way")
    expect(page.locator("[data-product=kettle] .stock")).to_have_text(str(left + 10))


def test_only_a_shop_with_users_has_a_login(shop: Served, open_page: Opening) -> None:
    page = open_page(shop.url)
    expect(page.locator("#login")).to_be_visible(visible=shop.name == "django")
    expect(page.locator("[data-product=tea] .set-price")).to_be_visible(
        visible=shop.name == "django"
    )


@pytest.mark.parametrize("shop", ["django"], indirect=True)
class TestUsers:
    def test_one_with_the_permission_sets_a_price_which_all_see(
        self, shop: Served, open_page: Opening
    ) -> None:
        page, guest = open_page(shop.url), open_page(shop.url)
        log_in(page, "ann", "wonderland")
        assert set_price(page, "kettle", "27.5") == "you set the price of a kettle"
        for seen in (page, guest):
            expect(seen.locator("[data-product=kettle] .price")).to_have_text("27.50")

    def test_one_without_it_is_refused(self, shop: Served, open_page: Opening) -> None:
        page = open_page(shop.url)
        log_in(page, "bob", "builder")
        before = page.locator("[data-product=tea] .price").inner_text()
        assert set_price(page, "tea", "0.01") == "wamp.error.not_authorized"
        assert page.locator("[data-product=tea] .price").inner_text() == before

    def test_so_is_a_guest(self, shop: Served, open_page: Opening) -> None:
        page = open_page(shop.url)
        assert set_price(page, "tea", "0.01") == "wamp.error.not_authorized"

    def test_and_so_is_one_who_has_logged_out(self, shop: Served, open_page: Opening) -> None:
        page = open_page(shop.url)
        log_in(page, "ann", "wonderland")
        page.get_by_role("button", name="log out").click()
        expect(page.locator("#login")).to_be_visible()
        expect(page.locator("#live")).to_have_text("live")
        assert set_price(page, "tea", "0.01") == "wamp.error.not_authorized"

    def test_a_wrong_password_lets_nobody_in(self, shop: Served, open_page: Opening) -> None:
        page = open_page(shop.url)
        fill_login(page, "ann", "builder")
        expect(page.locator("#answer")).to_have_text("wrong user name or password")
        expect(page.locator("#login")).to_be_visible()


def log_in(page: Page, name: str, password: str) -> None:
    fill_login(page, name, password)
    expect(page.locator("#user")).to_have_text(name)
    expect(page.locator("#live")).to_have_text("live")


def fill_login(page: Page, name: str, password: str) -> None:
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name="log in").click()


def set_price(page: Page, product: str, price: str) -> str:
    """Try to; what the page then says."""
    row = page.locator(f"[data-product={product}]")
    row.locator(".set-price [name=price]").fill(price)
    row.get_by_role("button", name="set the price").click()
    answer = page.locator("#answer")
    expect(answer).not_to_be_empty()
    return answer.inner_text()
