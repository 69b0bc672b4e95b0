"""A price and an order, with what they need read when it is needed."""

from django.core.mail import send_mail
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from framework import conf


@require_GET
def price(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"amount": "12.50", "currency": conf.get("shop", "currency")})


@csrf_exempt
@require_POST
def order(request: HttpRequest) -> JsonResponse:
    send_mail("An order", "One of them, please.", None, [conf.get("shop", "orders_to")])
    return JsonResponse({"ordered": 1})
