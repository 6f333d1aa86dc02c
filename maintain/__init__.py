"""What only maintainers run, in the repository's folder; `python -m maintain --help` lists the commands.

gallery    draws every figure of figures/ and its page from the records (figures)
guide      the tables of the instructor guide and of ARCHITECTURE.md, and the page of answers
ship       weights and cards of fer_kit/models/weights (views); records of fer_kit/training/recorded (keep)
methods    lesson 07's studies, with several seeds (riddle)
murphy     murphy's experiments and kit-transfer (heads, spread)
tracking   how fast lesson 12's pipeline is
setups     the kit rehearsed on other set-ups, and look-alikes of Colab and Kaggle
site       everything as web pages, and a deck of slides a lesson
classroom  what students need, without solutions
animation  the moving picture of the README
badges     the repository's address in every badge and clone line
"""
