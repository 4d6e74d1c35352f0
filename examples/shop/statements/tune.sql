select * from mmdb.tune('shop.posters_in_stock(text, numeric, integer)', '[
  ["a cat"], ["a bird on a branch", 15], ["a castle", 30], ["the sea"], ["something to drink", 40], ["a rocket", 12], ["a garden"],
  ["fish", 20], ["a tree"], ["a portrait", 50], ["the moon"], ["flowers", 25]
]')
