"""What the page sends."""

from django import forms


class Wanted(forms.Form):
    """So many of something."""

    product = forms.CharField(max_length=40)
    quantity = forms.IntegerField(min_value=1)
