"""The flow on disk: one training or many, what is finished of them, where the work is done.

settings       what is trained and measured, and what that may use: what flags and files are made from
run            one training and where its files lie; measurements, what was measured of it
ledger         what of some work is finished, and the rest of it: the one way in which anything resumes
workers        here, in child processes, or on a cluster
training, measuring, stopping, detecting, study/   the work
results        its tables and pictures
"""
