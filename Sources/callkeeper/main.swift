print("callkeeper")
