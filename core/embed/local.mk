# the word vectors of the built-in embedder (NOTICE says where they come from)
dist_pkgdata_DATA += %D%/words.vec
