"""Run by `python manage.py test`."""

from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import TestCase

from framework import conf


class Shop(TestCase):
    def test_a_price_follows_the_configuration(self) -> None:
        self.assertEqual(self.client.get("/price").json()["currency"], "EUR")
        with conf.override({("shop", "currency"): "CHF"}):
            self.assertEqual(self.client.get("/price").json()["currency"], "CHF")

    def test_an_order_is_mailed(self) -> None:
        self.assertEqual(self.client.post("/order").json(), {"ordered": 1})
        self.assertEqual(mail.outbox[0].to, ["orders@shop.example"])
        self.assertEqual(mail.outbox[0].from_email, "shop@shop.example")

    def test_the_connections_became_settings(self) -> None:
        self.assertEqual(settings.EMAIL_HOST_PASSWORD, "made-up-mail-password")
        cache.set("key", "value")
        self.assertEqual(cache.get("key"), "value")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchone(), (1,))
