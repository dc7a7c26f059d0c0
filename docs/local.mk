dist_man_MANS += %D%/lockstep.1
