"""The demo shop's products: everyday goods by category, and a pattern for very large catalogues.

One entry: name, uom, price in cents of the smallest pack (or of 1 kg), pack sizes (or () when it is
weighed), tax code, youngest buyer's age or None.
"""

from __future__ import annotations

Entry = tuple[str, str, int, tuple[str, ...], str, int | None]

_S3 = ("small", "medium", "large")

CATEGORIES: dict[str, tuple[Entry, ...]] = {
    "Fruit & vegetables": (
        ("Gala apples", "kg", 279, (), "reduced", None),
        ("Bananas", "kg", 199, (), "reduced", None),
        ("Conference pears", "kg", 329, (), "reduced", None),
        ("Vine tomatoes", "kg", 349, (), "reduced", None),
        ("Carrots, loose", "kg", 149, (), "reduced", None),
        ("Red onions", "kg", 189, (), "reduced", None),
        ("Waxy potatoes", "kg", 129, (), "reduced", None),
        ("Courgettes", "kg", 299, (), "reduced", None),
        ("Seedless grapes", "kg", 499, (), "reduced", None),
        ("Clementines", "kg", 289, (), "reduced", None),
        ("Cucumber", "each", 89, ("single", "2 pieces"), "reduced", None),
        ("Avocado", "each", 129, ("single", "2 pieces", "4 pieces"), "reduced", None),
        ("Lemons", "each", 99, ("3 pieces", "500 g net"), "reduced", None),
        ("Baby spinach", "each", 189, ("125 g", "250 g", "500 g"), "reduced", None),
        ("Strawberries", "each", 299, ("250 g", "500 g", "1 kg"), "reduced", None),
    ),
    "Bakery": (
        ("Sourdough loaf", "each", 389, ("500 g", "750 g", "1 kg"), "reduced", None),
        ("Wholegrain rolls", "each", 149, ("2 pieces", "4 pieces", "6 pieces"), "reduced", None),
        ("Butter croissant", "each", 129, ("single", "3 pieces", "5 pieces"), "reduced", None),
        ("Pretzel", "each", 85, ("single", "4 pieces"), "reduced", None),
        ("Cinnamon bun", "each", 179, ("single", "4 pieces"), "reduced", None),
        ("Rye crispbread", "each", 199, ("200 g", "400 g"), "reduced", None),
        ("Apple cake", "each", 269, ("slice", "half", "whole"), "reduced", None),
    ),
    "Dairy & eggs": (
        ("Fresh milk 3.5 %", "each", 125, ("0.5 l", "1 l", "1.5 l"), "reduced", None),
        ("Oat drink", "each", 179, ("1 l", "6 x 1 l"), "reduced", None),
        ("Natural yoghurt", "each", 79, ("150 g", "500 g", "1 kg"), "reduced", None),
        ("Salted butter", "each", 249, ("125 g", "250 g"), "reduced", None),
        ("Free-range eggs", "each", 219, ("6 pieces", "10 pieces", "18 pieces"), "reduced", None),
        ("Mature cheddar", "kg", 1490, (), "reduced", None),
        ("Gouda, young", "kg", 1090, (), "reduced", None),
        ("Mozzarella", "each", 119, ("125 g", "3 x 125 g"), "reduced", None),
        ("Crème fraîche", "each", 109, ("150 g", "200 g"), "reduced", None),
    ),
    "Meat & fish counter": (
        ("Chicken breast fillet", "kg", 1390, (), "reduced", None),
        ("Minced beef", "kg", 1190, (), "reduced", None),
        ("Cooked ham", "kg", 1690, (), "reduced", None),
        ("Salmon fillet", "kg", 2890, (), "reduced", None),
        ("Smoked trout", "each", 429, ("125 g", "250 g"), "reduced", None),
        ("Bratwurst", "each", 349, ("4 pieces", "8 pieces"), "reduced", None),
    ),
    "Pantry": (
        ("Spaghetti", "each", 129, ("500 g", "1 kg"), "reduced", None),
        ("Penne rigate", "each", 129, ("500 g", "1 kg"), "reduced", None),
        ("Basmati rice", "each", 249, ("500 g", "1 kg", "5 kg"), "reduced", None),
        ("Red lentils", "each", 199, ("500 g", "1 kg"), "reduced", None),
        ("Chopped tomatoes", "each", 89, ("400 g", "3 x 400 g"), "reduced", None),
        ("Chickpeas", "each", 99, ("400 g", "800 g"), "reduced", None),
        ("Plain flour", "each", 85, ("1 kg", "2.5 kg"), "reduced", None),
        ("Cane sugar", "each", 179, ("500 g", "1 kg"), "reduced", None),
        ("Sea salt", "each", 69, ("250 g", "500 g", "1 kg"), "reduced", None),
        ("Extra virgin olive oil", "each", 599, ("250 ml", "500 ml", "1 l"), "reduced", None),
        ("Balsamic vinegar", "each", 329, ("250 ml", "500 ml"), "reduced", None),
        ("Wildflower honey", "each", 449, ("250 g", "500 g"), "reduced", None),
        ("Strawberry jam", "each", 229, ("250 g", "450 g"), "reduced", None),
        ("Peanut butter", "each", 279, ("350 g", "1 kg"), "reduced", None),
        ("Rolled oats", "each", 99, ("500 g", "1 kg"), "reduced", None),
        ("Crunchy muesli", "each", 299, ("375 g", "750 g", "1.5 kg"), "reduced", None),
        ("Dijon mustard", "each", 159, ("200 g", "370 g"), "reduced", None),
    ),
    "Sweets & snacks": (
        ("Dark chocolate 70 %", "each", 149, ("100 g", "200 g", "3 x 100 g"), "reduced", None),
        ("Milk chocolate", "each", 119, ("100 g", "300 g"), "reduced", None),
        ("Butter biscuits", "each", 169, ("200 g", "400 g"), "reduced", None),
        ("Salted crisps", "each", 179, ("150 g", "175 g", "300 g"), "reduced", None),
        ("Roasted almonds", "each", 299, ("100 g", "200 g", "500 g"), "reduced", None),
        ("Fruit gums", "each", 99, ("200 g", "360 g", "1 kg"), "reduced", None),
        ("Liquorice mix", "kg", 1290, (), "reduced", None),
    ),
    "Drinks": (
        ("Still water", "each", 49, ("0.5 l", "1.5 l", "6 x 1.5 l"), "standard", None),
        ("Sparkling water", "each", 55, ("0.5 l", "1 l", "12 x 0.7 l"), "standard", None),
        ("Orange juice", "each", 229, ("1 l", "1.5 l"), "standard", None),
        ("Apple spritzer", "each", 119, ("0.5 l", "1 l", "6 x 1 l"), "standard", None),
        ("Cola", "each", 109, ("0.33 l", "1 l", "1.5 l"), "standard", None),
        ("Elderflower lemonade", "each", 149, ("0.33 l", "0.75 l"), "standard", None),
        ("Ground coffee", "each", 549, ("250 g", "500 g"), "reduced", None),
        ("Espresso beans", "each", 799, ("250 g", "500 g", "1 kg"), "reduced", None),
        ("Earl Grey tea", "each", 249, ("20 bags", "50 bags", "100 g loose"), "reduced", None),
        ("Peppermint tea", "each", 189, ("20 bags", "40 bags"), "reduced", None),
    ),
    "Beer, wine & spirits": (
        ("Pilsner", "each", 99, ("0.33 l", "0.5 l", "6 x 0.5 l"), "standard", 16),
        ("Wheat beer", "each", 115, ("0.5 l", "6 x 0.5 l"), "standard", 16),
        ("Dry cider", "each", 189, ("0.33 l", "0.75 l"), "standard", 16),
        ("Riesling, dry", "each", 699, ("0.25 l", "0.75 l", "1.5 l"), "standard", 16),
        ("Pinot noir", "each", 899, ("0.375 l", "0.75 l"), "standard", 16),
        ("Prosecco", "each", 799, ("0.2 l", "0.75 l"), "standard", 16),
        ("London dry gin", "each", 1690, ("0.35 l", "0.7 l"), "standard", 18),
        ("Highland whisky", "each", 2990, ("0.35 l", "0.7 l"), "standard", 18),
    ),
    "Frozen": (
        ("Garden peas", "each", 199, ("450 g", "1 kg"), "reduced", None),
        ("Leaf spinach", "each", 189, ("450 g", "750 g"), "reduced", None),
        ("Pizza margherita", "each", 329, ("320 g", "3 x 320 g"), "reduced", None),
        ("Vanilla ice cream", "each", 349, ("500 ml", "900 ml"), "reduced", None),
        ("Fish fingers", "each", 299, ("10 pieces", "15 pieces", "30 pieces"), "reduced", None),
    ),
    "Household": (
        ("Washing-up liquid", "each", 149, ("500 ml", "1 l"), "standard", None),
        ("Laundry powder", "each", 599, ("20 washes", "40 washes", "80 washes"), "standard", None),
        ("Kitchen roll", "each", 249, ("2 rolls", "4 rolls", "8 rolls"), "standard", None),
        ("Toilet paper", "each", 399, ("8 rolls", "10 rolls", "16 rolls"), "standard", None),
        ("Bin liners", "each", 179, ("20 l", "35 l", "60 l"), "standard", None),
        ("All-purpose cleaner", "each", 199, ("750 ml", "1 l"), "standard", None),
        ("Baking paper", "each", 159, ("15 m", "20 m"), "standard", None),
        ("AA batteries", "each", 499, ("4 pieces", "8 pieces", "16 pieces"), "standard", None),
        ("LED bulb E27", "each", 449, ("4 W", "7 W", "10 W"), "standard", None),
    ),
    "Personal care": (
        ("Toothpaste", "each", 169, ("75 ml", "125 ml"), "standard", None),
        ("Toothbrush", "each", 249, ("soft", "medium", "hard"), "standard", None),
        ("Shampoo", "each", 299, ("250 ml", "400 ml"), "standard", None),
        ("Hand soap", "each", 149, ("300 ml", "750 ml refill"), "standard", None),
        ("Sun cream SPF 50", "each", 899, ("100 ml", "200 ml"), "standard", None),
        ("Plasters", "each", 229, ("20 pieces", "40 pieces"), "standard", None),
    ),
    "Pets": (
        ("Cat food, salmon", "each", 89, ("85 g", "12 x 85 g", "400 g"), "standard", None),
        ("Dog food, lamb", "each", 199, ("400 g", "800 g", "6 x 400 g"), "standard", None),
        ("Cat litter", "each", 499, ("5 l", "10 l", "20 l"), "standard", None),
    ),
    "Garden & leisure": (
        ("Basil in a pot", "each", 199, ("single", "2 pieces"), "reduced", None),
        ("Tulips", "each", 399, ("10 stems", "20 stems", "40 stems"), "reduced", None),
        ("Potting soil", "each", 449, ("10 l", "20 l", "40 l"), "standard", None),
        ("Charcoal", "each", 699, ("2.5 kg", "5 kg", "10 kg"), "standard", None),
        ("Notebook A5", "each", 249, ("lined", "squared", "plain"), "standard", None),
        ("Umbrella", "each", 1290, _S3, "standard", None),
        ("Canvas bag", "each", 399, _S3, "standard", None),
    ),
}

GARMENTS = (
    "T-shirt", "Shirt", "Blouse", "Jumper", "Cardigan", "Hoodie", "Jacket", "Coat", "Trousers",
    "Jeans", "Shorts", "Skirt", "Dress", "Pyjamas", "Scarf", "Cap", "Socks", "Gloves", "Belt",
    "Slippers",
)  # fmt: skip
FABRICS = (
    "Cotton", "Linen", "Merino", "Denim", "Corduroy", "Jersey", "Flannel", "Fleece", "Organic",
    "Recycled", "Bamboo", "Cashmere",
)  # fmt: skip
COLOURS = (
    "white", "ivory", "sand", "mustard", "rust", "red", "burgundy", "rose", "lilac", "navy",
    "sky blue", "petrol", "olive", "forest green", "grey", "charcoal", "black", "brown",
)  # fmt: skip
SIZES = ("XS", "S", "M", "L", "XL", "XXL")
SEASONS = tuple(
    f"{season} {year}" for year in range(2026, 2031) for season in ("spring", "summer", "autumn",
                                                                   "winter", "classic")
)  # fmt: skip
