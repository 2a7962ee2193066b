"""The nexo Retailer protocol (Sale to POI, 3.0) in JSON, as Adyen's terminals speak it locally."""
