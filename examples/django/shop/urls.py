"""The two pages of the shop."""

from django.urls import path

from shop import views

urlpatterns = [path("price", views.price), path("order", views.order)]
